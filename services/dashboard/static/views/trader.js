// One trader: its figures, circuits, last errors with their stacks, and its log.
import { subscribe } from "../connection.js";
import { bytes, lasting, marked, share, short, when, whole, NONE } from "../format.js";
import { needsToken, stateWord, traderState, waiting } from "../parts/pieces.js";
import { circuitsOf, traderActions } from "../parts/trader_actions.js";
import { html, nothing, signal } from "../vendor.js";
import { traderFigure } from "./traders.js";

const ns = (value) => lasting(value === null || value === undefined ? value : value / 1e6);
const seconds = (value) => (value === null || value === undefined ? NONE : lasting(value * 1000));
const text = (value) => (value === null || value === undefined || value === "" ? NONE : String(value));
const FIGURES = [
  ["matches", "Matches", whole], ["cycle_ms", "Cycle", lasting], ["ns_per_symbol", "Per symbol", ns], ["efficiency", "Efficiency", share],
  ["processed", "Processed", short], ["skipped", "Skipped", short], ["failures", "Failed cycles", whole], ["restarts", "Restarts", whole],
  ["cycles", "Cycles", short], ["bytes_sent", "Bytes sent", bytes], ["bytes_full", "Bytes in full", bytes], ["batch_mode", "Batch mode", (value) => (value ? "on" : "off")],
  ["pid", "Process", text], ["owner", "Owner", text], ["trader_version", "Version", text], ["source", "Source", text],
];
const TEXTS = ["source", "trader_version", "owner"];

export function open(name) {
  const data = signal(null);
  const refused = signal("");
  const following = subscribe("trader", { trader: name }, (now) => {
    refused.value = "";
    data.value = now;
  }, (reason) => (refused.value = reason));

  const count = (one, key) => marked(`trader.circuits.${one.kind}.${key}`, one[key]);
  const circuits = (all) => html`<section><header><h2>Circuits</h2></header>
    ${all.length ? nothing : html`<p class="hint">No failure so far: both are closed.</p>`}
    <div class="wide-table">${all.length ? html`<table><thead><tr><th>Circuit</th><th>State</th><th class="end">For</th><th class="end" title="errors that count, of those that open it">Errors</th><th class="end">Clean cycles</th><th class="end">Opened</th><th class="end">Fresh starts</th><th class="end">Next change</th></tr></thead>
      <tbody>${all.map((one) => html`<tr><th scope="row">${one.kind}</th><td>${stateWord(one.state)}</td><td class="end">${seconds(one.for_s)}</td><td class="end">${count(one, "errors")}${one.of ? ` of ${whole(one.of)}` : ""}</td><td class="end">${count(one, "clean_cycles")}</td><td class="end">${count(one, "opened")}</td><td class="end">${count(one, "fresh_starts")}</td><td class="end">${one.due_in_s === null || one.due_in_s === undefined ? NONE : `in ${seconds(one.due_in_s)}`}</td></tr>`)}</tbody></table>` : nothing}</div></section>`;

  const errors = (list) => html`<section><header><h2>Errors</h2></header>
    ${list.length ? nothing : html`<p class="hint">None.</p>`}
    ${list.map((one, index) => html`<details class="error" ?open=${index === 0}><summary><b>${one.what ?? one.kind ?? "error"}</b> ${one.text}
      <small>${marked(`trader.errors.${index}.count`, one.count ?? 1)} ×, last ${when(one.last_ms ?? one.time_ms)}</small></summary>${one.stack ? html`<pre tabindex="0">${one.stack}</pre>` : nothing}</details>`)}</section>`;

  return {
    draw() {
      const now = data.value;
      if (!now) return html`<h1>${name}</h1>${waiting(refused.value)}`;
      return html`<header class="title"><h1>${now.label && now.label !== name ? html`${name} <small>${now.label}</small>` : name}</h1>${traderState(now)}
          <span class="muted">${now.why}</span><span class="push"></span><a href="/matches?traders=${encodeURIComponent(name)}">Matches</a><a href="/signals?trader=${encodeURIComponent(name)}">Signals</a>${traderActions(now)}</header>
        ${refused.value ? waiting(refused.value) : nothing}
        <dl class="facts spread">${FIGURES.filter(([key]) => now[key] !== undefined && now[key] !== "").map(([key, label, form]) => html`<div class=${TEXTS.includes(key) ? "long" : ""}><dt>${label}</dt><dd>${traderFigure(now, key, form, "trader")}</dd></div>`)}</dl>
        ${circuits(circuitsOf(now.circuit_details ?? now.circuits))}
        ${errors(now.errors ?? [])}
          ${now.log ? html`<section><header><h2>Log</h2></header><pre class="log" tabindex="0">${now.log.join("\n") || "Empty."}</pre></section>` : needsToken("Stacks, the log and actions")}`;
    },
    close: () => following.end(),
  };
}
