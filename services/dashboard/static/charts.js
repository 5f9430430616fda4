// Charts: figures over time (uPlot) and candles with the signals on them (lightweight-charts). Colours come from the
// style sheet, and change with it.
import { clock, moment, price } from "./format.js";
import { loadCandles, loadPlots } from "./vendor.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const FAMILY = "Inter, system-ui, sans-serif";
const FONT = `11px ${FAMILY}`;

/**
 * A chart of one figure over time in `element`. `form` writes a value; `point(value, time)` is told what lies under
 * the pointer, null where none does. Gives {take(times in ms, values, ms shown), close()}.
 */
export async function plot(element, { form, point, top }) {
  const UPlot = await loadPlots();
  let drawn = null;
  let data = [[], []];
  let reached = [0, 1]; // the time shown, also where nothing is known of its beginning
  const make = () => {
    drawn?.destroy();
    const ink = colour("chart");
    drawn = new UPlot(
      {
        width: element.clientWidth || 240,
        height: element.clientHeight || 84,
        legend: { show: false },
        padding: [6, 4, 0, 0],
        cursor: { y: false, points: { size: 5, fill: ink, stroke: ink }, drag: { x: false, y: false }, sync: { key: "history" } },
        scales: { x: { time: true, range: () => reached }, y: { range: (_plot, low, high) => reach(low, high, top) } },
        axes: [
          { stroke: colour("muted"), font: FONT, size: 18, gap: 2, space: 70, grid: { show: false }, ticks: { show: false }, values: (_plot, times) => times.map((time) => clock(time * 1000).slice(0, 5)) },
          { stroke: colour("muted"), font: FONT, size: 54, gap: 4, space: 26, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, values: (_plot, values) => values.map(form) },
        ],
        series: [{}, { stroke: ink, width: 1.25, fill: colour("chart-fill"), points: { show: false }, spanGaps: false }],
        tzDate: (seconds) => UPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        hooks: {
          setCursor: [
            (plotted) => {
              const index = plotted.cursor.idx;
              const value = index === null || index === undefined ? null : plotted.data[1][index];
              point(value ?? null, value === null || value === undefined ? null : plotted.data[0][index] * 1000);
            },
          ],
        },
      },
      data,
      element,
    );
  };
  make();
  const watch = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth || 240, height: element.clientHeight || 84 }));
  watch.observe(element);
  document.addEventListener("tickflag:theme", make);
  return {
    take(times, values, spanMs) {
      const newest = (times.at(-1) ?? Date.now()) / 1000;
      reached = [newest - spanMs / 1000, newest];
      data = [times.map((time) => time / 1000), values.map((value) => value ?? null)];
      drawn.setData(data);
    },
    close() {
      watch.disconnect();
      document.removeEventListener("tickflag:theme", make);
      drawn.destroy();
    },
  };
}

/** From nothing, or from near the lowest where that is far from nothing; never of no height. */
function reach(low, high, top) {
  if (low === null || high === null) return [0, top ?? 1];
  const floor = low >= 0 && low < high * 0.7 ? 0 : low - (high - low) * 0.1;
  const roof = high === floor ? floor + 1 : high + (high - floor) * 0.08;
  return [low >= 0 ? Math.max(0, floor) : floor, top === undefined ? roof : Math.min(roof, Math.max(top, high))];
}

/**
 * Candles with volume and signals. Gives {candles(columns, rows, fresh), signals(list, intervalS), close()}; `point`
 * is told the candle under the pointer and its signals.
 */
export async function candleChart(element, { point }) {
  const { createChart, createSeriesMarkers, CandlestickSeries, HistogramSeries, CrosshairMode } = await loadCandles();
  const chart = createChart(element, {
    autoSize: true,
    layout: { attributionLogo: false, background: { color: "transparent" }, fontFamily: FAMILY, fontSize: 11 },
    localization: { timeFormatter: (time) => `${moment(time * 1000)} UTC` },
    crosshair: { mode: CrosshairMode.Normal },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.24 } },
    timeScale: { timeVisible: true, secondsVisible: false, borderVisible: false, rightOffset: 4 },
  });
  const series = chart.addSeries(CandlestickSeries, { borderVisible: false });
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
  const marks = createSeriesMarkers(series, []);
  let bars = [];
  let byTime = new Map();
  let signals = [];

  const paint = () => {
    chart.applyOptions({
      layout: { textColor: colour("muted") },
      grid: { vertLines: { color: colour("line") }, horzLines: { color: colour("line") } },
      crosshair: { vertLine: { color: colour("muted"), labelBackgroundColor: colour("chip") }, horzLine: { color: colour("muted"), labelBackgroundColor: colour("chip") } },
    });
    series.applyOptions({ upColor: colour("up"), downColor: colour("down"), wickUpColor: colour("up"), wickDownColor: colour("down") });
    volume.applyOptions({ color: colour("volume") });
    mark();
  };

  /** One mark for what entered in a candle and one for what left; words only where they do not lie on one another. */
  const mark = () => {
    const shown = new Map();
    for (const signal of signals) {
      if (!byTime.has(signal.candle)) continue;
      const place = `${signal.candle} ${signal.event}`;
      const known = shown.get(place);
      if (known) known.traders.push(signal.trader);
      else shown.set(place, { ...signal, traders: [signal.trader] });
    }
    const words = shown.size <= 8 && element.clientWidth > 480;
    marks.setMarkers(
      [...shown.values()].map(({ event, candle, traders }) => {
        const text = traders.length > 1 ? String(traders.length) : words ? traders[0] : "";
        return event === "entered"
          ? { time: candle, position: "belowBar", shape: "arrowUp", color: colour("enter"), text }
          : { time: candle, position: "aboveBar", shape: "circle", color: colour("leave"), text, size: 0.8 };
      }),
    );
  };

  chart.subscribeCrosshairMove(({ time }) => {
    const bar = time === undefined ? null : byTime.get(time) ?? null;
    point(bar, bar ? signals.filter((signal) => signal.candle === time) : []);
  });
  paint();
  document.addEventListener("tickflag:theme", paint);
  return {
    candles(columns, rows, fresh) {
      const made = [];
      for (let index = 0; index < rows; index += 1) {
        made.push({ time: columns.time[index], open: columns.open[index], high: columns.high[index], low: columns.low[index], close: columns.close[index], volume: columns.volume[index], trades: columns.trades?.[index] });
      }
      const whole = made.filter((bar) => Number.isFinite(bar.close));
      const grown = !fresh && bars.length && whole.length && whole[0].time <= bars[0].time + 1 && whole.at(-1).time === bars.at(-1).time;
      bars = whole;
      byTime = new Map(bars.map((bar) => [bar.time, bar]));
      const heap = ({ time, volume: value }) => ({ time, value: value || 0 });
      if (grown) {
        series.update(bars.at(-1));
        volume.update(heap(bars.at(-1)));
      } else {
        series.setData(bars);
        volume.setData(bars.map(heap));
        mark();
      }
      if (fresh && bars.length) {
        const step = 10 ** (Math.floor(Math.log10(Math.abs(bars.at(-1).close) || 1)) - 5);
        series.applyOptions({ priceFormat: { type: "custom", formatter: price, minMove: step } });
      }
      if (fresh) chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, bars.length - Math.min(140, Math.ceil(element.clientWidth / 6))), to: bars.length + 4 });
    },
    signals(list, seconds) {
      signals = list
        .filter(({ event }) => event !== "score")
        .map((signal) => ({ ...signal, candle: Math.floor(signal.time_ms / 1000 / seconds) * seconds }))
        .sort((one, other) => one.candle - other.candle);
      mark();
    },
    close() {
      document.removeEventListener("tickflag:theme", paint);
      chart.remove();
    },
  };
}
