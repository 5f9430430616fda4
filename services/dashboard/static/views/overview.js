// Overview: is the engine well, what matches now, what just came and went, and what the last minutes looked like.
import { subscribe } from "../connection.js";
import { plot } from "../charts.js";
import { ago, bytes, clock, figure, lasting, marked, score, share, short, whole } from "../format.js";
import { eventWord, fact, spoken, symbolLink, traderLink, traderState, waiting } from "../parts/pieces.js";
import { overview, refusal } from "../parts/status.js";
import { remembered } from "../parts/storage.js";
import { html, nothing, repeat, signal } from "../vendor.js";

const us = (value) => lasting(value === null || value === undefined ? value : value / 1000);
const CHARTS = [
  ["ticks_per_s", "Ticks a second", short],
  ["flagged_per_cycle", "Symbols flagged per cycle", short],
  ["processed_per_s", "Symbols processed a second", short],
  ["efficiency", "Efficiency", share, 1],
  ["cpu_saving", "Processor time saved", share, 1],
  ["swap_time_us", "Swap time", us],
  ["swap_interval_ms", "Swap interval", lasting],
  ["latency_ms", "Tick to signal", lasting],
];
const span = remembered("span", "minutes");

export function open() {
  const under = signal({}); // figure to the value under the pointer
  const latest = signal({});
  const drawn = new Map();
  let closed = false;
  let past = null;

  const shown = (data, chart, name) => chart.take(data.time_ms, data.series[name] ?? [], data.step_ms * (data.step_ms > 1000 ? 8640 : 600));
  const take = (data) => {
    latest.value = Object.fromEntries(CHARTS.map(([name]) => [name, data.series[name]?.at(-1) ?? null]));
    past = data;
    for (const [name, chart] of drawn) shown(data, chart, name);
  };
  const history = subscribe("history", { span: span.peek() }, take);
  const choose = (wanted) => {
    span.value = wanted;
    history.change({ span: wanted });
  };

  /** Draw the charts into their places once these are in the document. */
  const begin = async () => {
    for (const [name, , form, top] of CHARTS) {
      const place = document.getElementById(`chart-${name}`);
      if (!place || drawn.has(name)) continue;
      drawn.set(name, { take() {}, close() {} });
      const chart = await plot(place, {
        form,
        top,
        point: (value, time) => (under.value = { ...under.peek(), [name]: value === null ? null : { value, time } }),
      });
      if (closed) return chart.close();
      drawn.set(name, chart);
      if (past) shown(past, chart, name);
    }
  };

  const charts = () => html`<section class="charts" aria-label="History">
    <header><h2>History</h2><div class="choice" role="group" aria-label="Time shown">
      ${[["minutes", "10 minutes"], ["hours", "24 hours"]].map(
        ([value, label]) => html`<button aria-pressed=${span.value === value} @click=${() => choose(value)}>${label}</button>`,
      )}</div></header>
    <div class="plots">${CHARTS.map(([name, label, form]) => {
      const here = under.value[name];
      return html`<figure><figcaption><span>${label}</span><b>${here ? form(here.value) : marked(`history.${name}`, latest.value[name], form)}</b>
        <small>${here ? clock(here.time) : ""}</small></figcaption><div class="plot" id="chart-${name}"></div></figure>`;
    })}</div></section>`;

  return {
    draw() {
      const data = overview.value;
      if (!data) return waiting(refusal.value);
      requestAnimationFrame(begin);
      return html`<h1 class="unseen">Overview</h1>${problems(data)}${headline(data)}
        <div class="two">${traders(data)}${recent(data)}</div>
        ${charts()}
        <div class="two">${buffers(data)}${engine(data)}</div>`;
    },
    close() {
      closed = true;
      history.end();
      for (const chart of drawn.values()) chart.close();
    },
  };
}

const problems = ({ problems: list = [] }) =>
  list.length
    ? html`<ul class="problems" aria-label="What is wrong">${list.map(
        ({ level, text, do: remedy }) => html`<li class=${level === "fail" ? "bad" : "warn"}><b>${spoken(text)}</b>${remedy ? html`<span>${spoken(remedy)}</span>` : nothing}</li>`,
      )}</ul>`
    : html`<p class="well"><i aria-hidden="true"></i>Nothing is wrong.</p>`;

function headline(data) {
  const matches = (data.traders ?? []).reduce((sum, trader) => sum + (trader.matches ?? 0), 0);
  const saving = data.engine?.cpu_saving;
  const show = (path, form) => figure("overview", data, path, form);
  const tile = (label, value, more) => html`<div><dt>${label}</dt><dd>${value}</dd><dd class="more">${more}</dd></div>`;
  return html`<dl class="headline">
    ${tile("Matches now", marked("overview.matches", matches), html`${marked("overview.count", (data.traders ?? []).length)} traders`)}
    ${tile("Symbols", show("feed.symbols"), html`of ${show("feed.capacity")} places`)}
    ${tile("Ticks a second", show("feed.ticks_per_s", short), html`heartbeat ${show("feed.age_ms", lasting)} ago`)}
    ${tile("Flagged per cycle", show("feed.flagged_per_cycle", short), html`a cycle every ${show("feed.swap_interval_ms", lasting)}`)}
    ${tile("Efficiency", show("engine.efficiency", share), "of evaluations skipped")}
    ${tile("Processor time saved", show("engine.cpu_saving.value", share), saving && saving.low !== null ? html`${show("engine.cpu_saving.low", share)} to ${show("engine.cpu_saving.high", share)}` : "no audit yet")}
    ${tile("Tick to signal", show("engine.latency_ms.p50", lasting), html`99 %: ${show("engine.latency_ms.p99", lasting)}`)}
    ${tile("Swap time", show("feed.swap_time_us", us), html`${show("feed.swaps", short)} swaps`)}
  </dl>`;
}

function traders(data) {
  const line = (trader) => html`<tr><th scope="row">${traderLink(trader.name)}</th><td>${traderState(trader)}</td>
    <td class="end"><a href="/matches?traders=${encodeURIComponent(trader.name)}" data-figure="overview.traders.${trader.name}.matches" data-value=${trader.matches ?? ""}>${whole(trader.matches)}</a></td>
    <td class="end enter" data-figure="overview.traders.${trader.name}.entered" data-value=${trader.entered ?? ""}>${trader.entered ? `▲ ${whole(trader.entered)}` : "–"}</td>
    <td class="end leave" data-figure="overview.traders.${trader.name}.left" data-value=${trader.left ?? ""}>${trader.left ? `▽ ${whole(trader.left)}` : "–"}</td></tr>`;
  return html`<section><header><h2>Traders</h2><a href="/traders">All about them</a></header>
    <table><thead><tr><th>Trader</th><th>State</th><th class="end">Matches</th><th class="end" title="in the last minute">Entered</th><th class="end" title="in the last minute">Left</th></tr></thead>
    <tbody>${repeat(data.traders ?? [], (trader) => trader.name, line)}</tbody></table>
    ${data.traders?.length ? nothing : html`<p class="hint">No trader runs. Put one into the folder of the traders: <code>tickflag new-trader NAME</code> writes a first version.</p>`}</section>`;
}

function recent(data) {
  const line = (one) => html`<tr><td class="time">${clock(one.time_ms)}</td><td class="sign">${eventWord(one.event)}</td><th scope="row">${symbolLink(one.symbol)}</th>
    <td class="middle">${traderLink(one.trader)}</td><td class="end">${marked(`overview.recent.${one.seq}`, one.score, score)}</td><td class="note" title=${one.note || nothing}>${one.note}</td></tr>`;
  return html`<section><header><h2>Just entered or left</h2><a href="/signals">All signals</a></header>
    <div class="recent" tabindex="0"><table aria-label="Time, event, symbol, trader, score and note">
    <tbody>${repeat((data.recent ?? []).filter((one) => one.event !== "score"), (one) => one.seq, line)}</tbody></table>
    ${data.recent?.length ? nothing : html`<p class="hint">No signal yet.</p>`}</div></section>`;
}

function buffers(data) {
  const cell = (index, key, form = whole) => figure("overview", data, `buffers.${index}.${key}`, form);
  return html`<section><header><h2>Buffers</h2></header><div class="wide-table"><table>
    <thead><tr><th>Channel</th><th title="the buffer that the feed writes now">Writing</th><th class="end">Cycle</th><th class="end" title="since the last stamp">Stamp</th><th class="end" title="copies that the feed overtook">Lapped</th><th class="end" title="passes that compared versions, as events were missing">Catch-ups</th><th class="end" title="rows that were locked and tried again">Retries</th></tr></thead>
    <tbody>${(data.buffers ?? []).map(
      (one, index) => html`<tr><th scope="row">${one.channel}</th>
        <td><span class="pair" data-figure="overview.buffers.${index}.writing" data-value=${one.writing ?? ""}><i class=${one.writing === 0 ? "on" : ""}>A</i><i class=${one.writing === 1 ? "on" : ""}>B</i></span></td>
        <td class="end">${cell(index, "cycle")}</td><td class="end">${cell(index, "stamp_age_ms", ago)}</td><td class="end">${cell(index, "lapped")}</td><td class="end">${cell(index, "catch_ups")}</td><td class="end">${cell(index, "retries")}</td></tr>`,
    )}</tbody></table></div></section>`;
}

function engine(data) {
  const show = (path, form = whole) => figure("overview", data, path, form);
  const all = data.engine?.batch_mode ?? [];
  return html`<section><header><h2>Engine</h2></header><dl class="facts">
    ${fact("Updates", show("feed.updates", short), "taken since the feed began")}
    ${fact("Flagged", show("feed.flagged", short))}
    ${fact("Processed", show("engine.processed", short))}
    ${fact("Skipped", show("engine.skipped", short))}
    ${fact("Processed a second", show("engine.processed_per_s", short))}
    ${fact("Bytes saved", show("engine.bytes_saved", bytes), "of the results, against sending all matches each time")}
    ${fact("Bytes in full", show("engine.bytes_full", bytes))}
    ${fact("Batch mode", html`<span data-figure="overview.engine.batch_mode" data-value=${all.join(",")}>${all.length ? all.join(", ") : "none"}</span>`, "traders that process all symbols")}
    ${fact("Late ticks", show("feed.late_ticks"), "older than what was known: left out")}
    ${fact("Double trades", show("feed.double_trades"))}
    ${fact("Impossible times", show("feed.impossible_times"))}
    ${fact("Rejected", show("feed.rejected_updates"), "rows that say what cannot be")}
  </dl></section>`;
}
