// Debug: the ring of the last updates, commands to the feed, the segment, and the settings as they were resolved.
import { hello, subscribe } from "../connection.js";
import { bytes, lasting, marked, moment, NONE, short, whole } from "../format.js";
import { confirmed, perform } from "../parts/dialogs.js";
import { needsToken, symbolLink, waiting, writable } from "../parts/pieces.js";
import { overview } from "../parts/status.js";
import { html, nothing, signal } from "../vendor.js";

/** A value of any kind, short. */
function written(value) {
  if (value === null || value === undefined || value === "") return html`<span class="muted">${NONE}</span>`;
  if (typeof value === "object" && !Object.keys(value).length) return html`<span class="muted">${NONE}</span>`;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return Number.isInteger(value) ? (Math.abs(value) > 1e15 ? String(value) : whole(value)) : short(value);
  if (Array.isArray(value) && value.every((one) => typeof one !== "object")) return value.join(", ") || html`<span class="muted">${NONE}</span>`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A time or a duration by the end of its name, else the value. */
function told(key, value) {
  if (key === "bytes") return bytes(value);
  if (typeof value === "number" && key.endsWith("_ms")) return value > 1e11 ? moment(value) : lasting(value);
  return written(value);
}

/** Fields within fields as paths: feed.source, feed.symbols, ... */
const flat = (value, path = "") =>
  value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length
    ? Object.entries(value).flatMap(([key, inner]) => flat(inner, path ? `${path}.${key}` : key))
    : [[path, value]];

export function open() {
  const data = signal(null);
  const refused = signal("");
  const filter = signal("");
  const following = subscribe("debug", {}, (now) => (data.value = now), (text) => (refused.value = text));

  async function monitoring(on) {
    if (!on && !(await confirmed("Switch monitoring off?", "The dashboard samples nothing until it is switched on again; its figures stand still. The engine goes on.", "Switch off"))) return;
    await perform("monitoring", { on }, on ? "Monitoring is on." : "Monitoring is off.");
  }

  const burst = (event) => {
    event.preventDefault();
    perform("feed.burst", { symbols: Number(event.target.elements.symbols.value) }, `${whole(Number(event.target.elements.symbols.value))} symbols tick at once.`);
  };

  const commands = (now) => html`<section><header><h2>Commands</h2></header>
    ${writable() ? html`<div class="controls"><button @click=${() => perform("feed.swap", {}, "What was pending is announced.")}>Swap now</button>
      <form class="together" @submit=${burst}><input name="symbols" type="number" min="1" max="1000000" .defaultValue=${String(overview.value?.feed?.symbols ?? 100)} aria-label="Symbols of the burst" /><button>Burst</button></form>
      <button ?disabled=${!now.ring} aria-pressed=${now.ring?.on ?? false} @click=${() => perform("feed.debug", { on: !now.ring?.on }, now.ring?.on ? "The ring is off." : "The ring is on.")}>Ring of updates: ${now.ring?.on ? "on" : "off"}</button>
      <button aria-pressed=${hello.value?.monitoring ?? false} @click=${() => monitoring(!hello.value?.monitoring)}>Monitoring: ${hello.value?.monitoring ? "on" : "off"}</button>
      <a class="button" href="/api/bundle" download>Bundle for a report</a></div><p class="muted">A burst is for the synthetic market only. The bundle holds logs and settings, and no secrets.</p>` : needsToken("Commands, settings and the bundle")}</section>`;

  const ring = ({ ring: now }) => html`<section><header><h2>Last updates</h2><span class="muted">${now?.on ? html`${marked("debug.ring", now.updates?.length)}, newest first` : "the ring is off"}</span></header>
    ${now?.updates?.length ? updates(now.updates) : html`<p class="hint">${now?.on ? "No update yet." : "Switched on, the ring keeps the last 100 updates of the feed."}</p>`}</section>`;

  const updates = (list) => html`<div class="wide-table scrolled"><table><thead><tr><th>symbol</th><th>kind</th><th class="end">age</th></tr></thead>
    <tbody>${list.map((one) => html`<tr><td>${symbolLink(one.symbol)}</td><td>${one.kind}</td><td class="end">${lasting(one.age_ms)}</td></tr>`)}</tbody></table></div>`;

  const header = (now) => html`<section><header><h2>Segment</h2></header><dl class="facts">${flat(now.header ?? {}).map(([key, value]) => html`<div><dt>${key.replace(/_ms$/, "").replaceAll("_", " ")}</dt><dd data-figure="debug.header.${key}" data-value=${typeof value === "object" ? "" : value}>${told(key, value)}</dd></div>`)}</dl></section>`;

  function channels(now) {
    const list = now.channels ?? [];
    const keys = [...new Set(list.flatMap((one) => Object.keys(one)))];
    return html`<section><header><h2>Channels</h2></header><div class="wide-table"><table><thead><tr>${keys.map((key, index) => html`<th class=${index ? "end" : ""}>${key.replaceAll("_", " ")}</th>`)}</tr></thead>
      <tbody>${list.map((one, row) => html`<tr>${keys.map((key, index) => html`<td class=${index ? "end" : ""} data-figure="debug.channels.${row}.${key}" data-value=${one[key] ?? ""}>${told(key, one[key])}</td>`)}</tr>`)}</tbody></table></div></section>`;
  }

  function settings(now) {
    if (!now.settings) return nothing;
    const wanted = filter.value.toLowerCase();
    const list = Object.entries(now.settings).filter(([key]) => key.toLowerCase().includes(wanted));
    return html`<section><header><h2>Settings</h2><input type="search" aria-label="Filter the settings" placeholder="Filter" .value=${filter.value} @input=${(event) => (filter.value = event.target.value)} /></header>
      <dl class="settings">${list.map(([key, { value, set_by: by }]) => html`<div><dt>${key}</dt><dd>${typeof value === "number" ? marked(`debug.settings.${key}`, value, String) : written(value)}${by === "default" ? nothing : html` <small>${by}</small>`}</dd></div>`)}</dl></section>`;
  }

  return {
    draw() {
      const now = data.value;
      if (!now) return html`<h1 class="unseen">Debug</h1>${waiting(refused.value)}${hello.value?.readable ? commands({}) : nothing}`; // monitoring may have to be switched on again
      return html`<h1 class="unseen">Debug</h1>${commands(now)}<div class="two">${ring(now)}<div>${header(now)}${channels(now)}</div></div>${settings(now)}`;
    },
    close: () => following.end(),
  };
}
