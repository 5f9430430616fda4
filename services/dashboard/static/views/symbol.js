// Symbol: its candles with the signals of every trader on them, who matches it, and every column of its ticker.
import { subscribe } from "../connection.js";
import { candleChart } from "../charts.js";
import { ago, change, clock, marked, NONE, price, score, short, when, whole } from "../format.js";
import { eventSign, eventWord, fact, pick, stateWord, traderLink, waiting } from "../parts/pieces.js";
import { route, setQuery } from "../parts/router.js";
import { overview } from "../parts/status.js";
import { html, nothing, repeat, signal, untracked } from "../vendor.js";

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const COUNT = 500;
const secondsOf = (interval) => Number.parseInt(interval, 10) * (SECONDS[interval.at(-1)] ?? 60);
const PRICES = ["last", "bid", "ask", "open_24h", "high_24h", "low_24h"];
const LABELS = { last: "Last", bid: "Bid", ask: "Ask", bid_size: "Bid size", ask_size: "Ask size", last_size: "Last size", volume: "Volume", open_24h: "Open 24 h", high_24h: "High 24 h", low_24h: "Low 24 h", volume_24h: "Volume 24 h", change_24h: "Change 24 h", age_ms: "Age", received_age_ms: "Age, as received", last_age_ms: "Age of the trade", event_ms: "Time", recv_ms: "Received", last_ms: "Last trade", status: "Status", version: "Version" };

function written(key, value) {
  if (PRICES.includes(key)) return price(value);
  if (key.startsWith("change")) return change(value);
  if (key.endsWith("age_ms")) return ago(value);
  if (key.endsWith("_ms")) return when(value);
  return typeof value === "number" ? short(value) : (value ?? NONE);
}

export function open(name) {
  const data = signal(null);
  const refused = signal("");
  const under = signal(null); // {bar, signals} below the pointer
  const last = signal(null); // the newest candle
  const empty = signal("");
  const interval = signal(untracked(() => route.value.query.get("interval")) ?? "");
  let chart = null;
  let drawing = false;
  let closed = false;
  let candles = null;
  let fresh = true;
  let shownSignals = "";

  const symbol = subscribe(
    "symbol",
    { symbol: name },
    (now) => {
      refused.value = "";
      data.value = now;
      if (!interval.peek() && now.intervals?.length) interval.value = now.intervals.includes("5m") ? "5m" : now.intervals[0];
      follow();
      mark();
    },
    (text) => (refused.value = text),
  );

  const without = () => (untracked(() => route.value.query.get("without")) ?? "").split(",").filter(Boolean);

  function mark() {
    if (!chart || !data.peek()) return;
    const hidden = without();
    const list = (data.peek().signals ?? []).filter((one) => !hidden.includes(one.trader));
    const now = `${list[0]?.seq} ${list.length} ${interval.peek()} ${hidden}`;
    if (now === shownSignals) return;
    shownSignals = now;
    chart.signals(list, secondsOf(interval.peek()));
  }

  function follow() {
    if (!chart || candles || !interval.peek()) return;
    const args = () => ({ symbol: name, interval: interval.peek(), count: COUNT });
    candles = subscribe(
      "candles",
      args(),
      (head, columns, rows) => {
        if (head.interval && head.interval !== interval.peek()) return; // of the interval before
        empty.value = rows ? "" : "No candles of this interval yet.";
        chart.candles(columns, rows, fresh);
        if (rows) last.value = Object.fromEntries(Object.keys(columns).map((key) => [key, columns[key][rows - 1]]));
        fresh = fresh && !rows;
        mark();
      },
      (text) => (empty.value = text),
    );
    candles.args = args;
  }

  function choose(wanted) {
    interval.value = wanted;
    fresh = true;
    shownSignals = "";
    setQuery({ interval: wanted });
    candles?.change(candles.args());
  }

  async function begin() {
    const place = document.getElementById("candles");
    if (!place || drawing) return;
    drawing = true;
    const made = await candleChart(place, { point: (bar, signals) => (under.value = bar ? { bar, signals } : null) });
    if (closed) return made.close();
    chart = made;
    follow();
  }

  function legend() {
    const bar = under.value?.bar ?? last.value;
    if (!bar) return html`<div class="legend">${empty.value}</div>`;
    const up = bar.close >= bar.open ? "up" : "down";
    const part = (key, form) => (under.value ? form(bar[key]) : marked(`candles.${key}`, bar[key], form));
    return html`<div class="legend"><span>O <b class=${up}>${part("open", price)}</b></span><span>H <b class=${up}>${part("high", price)}</b></span>
      <span>L <b class=${up}>${part("low", price)}</b></span><span>C <b class=${up}>${part("close", price)}</b></span><span>V <b>${part("volume", short)}</b></span>
      ${(under.value?.signals ?? []).map((one) => html`<span class=${one.event === "entered" ? "enter" : "leave"}>${eventSign(one.event)} ${clock(one.time_ms)} ${one.trader}${one.note ? `: ${one.note}` : ""}</span>`)}</div>`;
  }

  function head(now) {
    const ticker = now.ticker ?? {};
    return html`<header class="title"><h1>${name}</h1>
      <b class="big" data-figure="symbol.ticker.last" data-value=${ticker.last ?? ""}>${price(ticker.last)}</b>
      <b class=${ticker.change_24h > 0 ? "up" : ticker.change_24h < 0 ? "down" : ""} data-figure="symbol.ticker.change_24h" data-value=${ticker.change_24h ?? ""}>${change(ticker.change_24h)}</b>
      <span class="muted">${ticker.age_ms === undefined || ticker.age_ms === null ? "" : `${ago(ticker.age_ms)} old`}</span>
      <select class="narrow" aria-label="Interval" @change=${(event) => choose(event.target.value)}>${pick((now.intervals ?? []).map((one) => [one, one]), interval.value)}</select>
      <div class="choice wide" role="group" aria-label="Interval">${(now.intervals ?? []).map((one) => html`<button aria-pressed=${one === interval.value} @click=${() => choose(one)}>${one}</button>`)}</div></header>`;
  }

  function chips(now) {
    const traders = [...new Set((now.signals ?? []).map((one) => one.trader))].sort();
    const hidden = (route.value.query.get("without") ?? "").split(",").filter(Boolean);
    const flip = (trader) => {
      setQuery({ without: (hidden.includes(trader) ? hidden.filter((one) => one !== trader) : [...hidden, trader]).join(",") });
      mark();
    };
    return traders.length
      ? html`<div class="choice chips" role="group" aria-label="Signals shown on the candles">${traders.map((trader) => html`<button aria-pressed=${!hidden.includes(trader)} @click=${() => flip(trader)}>${trader}</button>`)}</div>`
      : nothing;
  }

  const matches = (now) => html`<section><header><h2>Matches now</h2></header>
    ${(now.matches ?? []).length ? nothing : html`<p class="hint">No trader matches it now.</p>`}
    <ul class="plainlist">${(now.matches ?? []).map((one) => html`<li>${traderLink(one.trader)} ${one.stale ? stateWord("stale") : nothing}
      <b data-figure="symbol.matches.${one.trader}.score" data-value=${one.score ?? ""}>${score(one.score)}</b>
      <small>${one.since_ms ? `for ${ago((overview.value?.time_ms ?? Date.now()) - one.since_ms)}` : ""}</small><p class="note">${one.note}</p></li>`)}</ul></section>`;

  const ticker = (now) => html`<section><header><h2>Ticker</h2></header><dl class="facts">${Object.entries(now.ticker ?? {})
    .filter(([, value]) => typeof value !== "object" || value === null)
    .map(([key, value]) => fact(LABELS[key] ?? key.replaceAll("_", " "), html`<span data-figure="symbol.ticker.${key}" data-value=${value ?? ""}>${written(key, value)}</span>`))}</dl></section>`;

  const signals = (now) => html`<section class="past"><header><h2>Signals</h2><a href="/signals?symbol=${encodeURIComponent(name)}">All of them</a></header><div class="wide-table scrolled"><table>
    <thead><tr><th>Time</th><th>Event</th><th>Trader</th><th class="end">Score</th><th>Note</th></tr></thead>
    <tbody>${repeat(now.signals ?? [], (one) => one.seq, (one) => html`<tr><td class="time">${when(one.time_ms)}</td><td>${eventWord(one.event)}</td><th scope="row">${traderLink(one.trader)}</th><td class="end">${marked(`symbol.signals.${one.seq}`, one.score, score)}</td><td class="note" title=${one.note || nothing}>${one.note}</td></tr>`)}</tbody></table></div>
    ${(now.signals ?? []).length ? nothing : html`<p class="hint">The journal holds none.</p>`}</section>`;

  return {
    draw() {
      const now = data.value;
      if (!now) return html`<h1>${name}</h1>${waiting(refused.value)}`;
      if (!now.known) return html`<h1>${name}</h1><p class="hint">The market has no symbol of this name. Press <kbd>/</kbd> to search.</p>${now.signals?.length ? signals(now) : nothing}`;
      requestAnimationFrame(begin);
      return html`${head(now)}<div class="symbol-grid"><div class="chart-side"><div class="candle-frame">${legend()}<div id="candles" role="img" aria-label="Candles of ${name}"></div></div>
        ${chips(now)}${signals(now)}</div><div class="figure-side">${matches(now)}${ticker(now)}</div></div>`;
    },
    close() {
      closed = true;
      symbol.end();
      candles?.end();
      chart?.close();
    },
  };
}
