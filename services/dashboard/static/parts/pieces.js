// Small pieces that several views use: state words, the event's sign, headings, hints.
import { hello } from "../connection.js";
import { html, nothing } from "../vendor.js";
import { symbolAddress, traderAddress } from "./router.js";

const GOOD = ["running", "closed", "on", "ok", "live"];
const BAD = ["failing", "restarting", "restarted", "open", "quarantined", "gone", "stale", "dead", "killed"];
const WARN = ["half-open", "waiting", "skipped", "starting", "stopped", "waiting for approval"];

/** A state as a word with a dot, whose shape also tells good from bad. */
export function stateWord(word, why = "") {
  const look = GOOD.includes(word) ? "good" : BAD.includes(word) ? "bad" : WARN.includes(word) ? "warn" : "";
  return html`<span class="state ${look}" title=${why || nothing}><i aria-hidden="true"></i>${word ?? "–"}</span>`;
}

/** A trader's state. One that was restarted a moment ago says so, as its fall may have been shorter than a look. */
export const traderState = ({ state, restarted, why }) => stateWord(state === "running" && restarted ? "restarted" : state, why);

/** entered, left and score, which differ in colour and in shape. */
export function eventWord(event) {
  const sign = event === "entered" ? "▲" : event === "left" ? "▽" : "·";
  return html`<span class="event ${event}"><i aria-hidden="true">${sign}</i>${event}</span>`;
}

export const eventSign = (event) => (event === "entered" ? "▲" : event === "left" ? "▽" : "·");
export const symbolLink = (name) => html`<a href=${symbolAddress(name)}>${name}</a>`;
export const traderLink = (name) => html`<a href=${traderAddress(name)}>${name}</a>`;

/** Whether this browser may change something. */
export const writable = () => hello.value?.writable === true;

/** What to do where it may not. */
export const needsToken = (what) =>
  writable() || !hello.value
    ? nothing
    : html`<p class="hint">${what} need the link with the token. On the engine's machine, type <code>tickflag dashboard --open</code>.</p>`;

/** A view that waits for its first data, or was refused it. */
export const waiting = (refused) => html`<p class="hint" role="status">${refused || "Waiting for the engine…"}</p>`;

/** Label and figure. */
export const fact = (label, value, title = "") => html`<div title=${title || nothing}><dt>${label}</dt><dd>${value}</dd></div>`;

/** The options of a select: [value, label], ... */
export const pick = (options, chosen) => options.map(([value, label]) => html`<option value=${value} ?selected=${value === chosen}>${label}</option>`);

/** A text of the engine, in which `...` is something to type. */
export const spoken = (text) => (text ?? "").split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));
