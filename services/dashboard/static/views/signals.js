// Signals: the journal as it flows. Filters, and a jump to any time or number, stand in the address.
import { subscribe } from "../connection.js";
import { marked, score, when, whole } from "../format.js";
import { download } from "../parts/csv.js";
import { say } from "../parts/dialogs.js";
import { eventSign, pick, waiting } from "../parts/pieces.js";
import { route, setQuery, symbolAddress, traderAddress } from "../parts/router.js";
import { savedViews } from "../parts/saved.js";
import { overview } from "../parts/status.js";
import { Rows } from "../rows.js";
import { computed, effect, html, nothing, signal, untracked } from "../vendor.js";

const COUNT = 500;
const MOST_EXPORTED = 100_000; // by the engine, in one file
const EVENTS = [["", "All events"], ["entered", "▲ entered"], ["left", "▽ left"], ["score", "· score"]];
const COLUMNS = [
  { key: "seq", label: "Number", width: "84px", end: true, text: (row) => whole(row.seq), value: (row) => row.seq, look: () => "muted" },
  { key: "time_ms", label: "UTC", width: "118px", phone: "66px", text: (row) => when(row.time_ms), value: (row) => row.time_ms, tip: (row) => new Date(row.time_ms).toISOString(), look: () => "time" },
  { key: "sign", label: "", title: "▲ entered, ▽ left", width: "22px", phone: "20px", text: (row) => eventSign(row.event), look: (row) => `sign ${row.event === "entered" ? "enter" : row.event === "left" ? "leave" : "muted"}` },
  { key: "event", label: "Event", width: "70px", text: (row) => row.event, look: (row) => (row.event === "entered" ? "enter" : row.event === "left" ? "leave" : "muted") },
  { key: "symbol", label: "Symbol", width: "minmax(140px, 1.2fr)", phone: "minmax(0, 1.5fr)", text: (row) => row.symbol, link: (row) => symbolAddress(row.symbol) },
  { key: "trader", label: "Trader", width: "minmax(110px, 1fr)", phone: "minmax(0, 1fr)", text: (row) => row.trader, link: (row) => traderAddress(row.trader) },
  { key: "score", label: "Score", width: "80px", phone: "58px", end: true, text: (row) => score(row.score), value: (row) => row.score },
  { key: "note", label: "Note", width: "minmax(180px, 3fr)", text: (row) => row.note, tip: (row) => row.note, look: () => "note" },
];

/** What the address asks for. `from` is a number, or a time as 2026-11-29T14:00. */
function argumentsOf(query) {
  const from = query.get("from") ?? "";
  const time = /^\d+$/.test(from) || !from ? null : Date.parse(from.length > 16 ? `${from}Z` : `${from}:00Z`);
  return {
    since: null,
    before: /^\d+$/.test(from) ? Number(from) + 1 : null,
    time_ms: Number.isNaN(time) ? null : time,
    trader: query.get("trader") ?? "",
    symbol: query.get("symbol") ?? "",
    event: query.get("event") ?? "",
    text: query.get("text") ?? "",
    count: COUNT,
  };
}

export function open() {
  const data = signal(null);
  const refused = signal("");
  const held = signal(null);
  const wanted = computed(() => argumentsOf(route.value.query));
  const rows = new Rows({
    label: "Signals", columns: COLUMNS, key: (row) => row.seq, address: (row) => symbolAddress(row.symbol),
    figures: (row) => `signals.${row.seq}`, empty: "No signal fits.", held: (waitingNow) => (held.value = waitingNow),
  });
  const following = subscribe("signals", untracked(() => wanted.value), (now) => {
    refused.value = "";
    data.value = now;
    rows.take(0, now.signals.length, now.signals);
  }, (text) => (refused.value = text));

  let before = JSON.stringify(untracked(() => wanted.value));
  const stop = effect(() => {
    const now = JSON.stringify(wanted.value);
    if (now === before) return;
    before = now;
    rows.restart();
    following.change(wanted.peek());
  });

  const live = () => wanted.value.before === null && wanted.value.time_ms === null;
  const oldest = () => data.value?.signals.at(-1)?.seq;

  /** All that fit, newest first, of the journal: the engine makes the file. */
  function save() {
    const { count, ...filters } = wanted.peek();
    const given = Object.entries(filters).filter(([, value]) => value !== null && value !== "");
    download(`/api/signals.csv?${new URLSearchParams(given)}`, "signals.csv");
    say(`All signals that fit are saved as signals.csv, ${whole(MOST_EXPORTED)} at most.`);
  }

  function jump(event) {
    event.preventDefault();
    const text = event.target.elements.to.value.trim().replace(" ", "T").replaceAll(",", "");
    const number = /^\d+$/.test(text);
    const time = /^\d{1,2}:\d{2}(:\d{2})?$/.test(text) ? `${new Date().toISOString().slice(0, 10)}T${text.padStart(text.length < 5 || text.length === 7 ? text.length + 1 : text.length, "0")}` : text;
    const full = /^\d{4}-\d{2}-\d{2}$/.test(time) ? `${time}T00:00` : time;
    if (text && !number && Number.isNaN(Date.parse(`${full}Z`))) return say("Type a number, a time as 14:05, or a day and time as 2026-11-29 14:05.", true);
    setQuery({ from: number ? text : full });
  }

  function bar() {
    const args = wanted.value;
    const newest = live() ? data.value?.last_seq : data.value?.signals[0]?.seq;
    const traders = [...new Set([...(overview.value?.traders ?? []).map((one) => one.name), ...(args.trader ? [args.trader] : [])])].sort();
    return html`<div class="bar">
      <select aria-label="Trader" @change=${(event) => setQuery({ trader: event.target.value })}>${pick([["", "All traders"], ...traders.map((one) => [one, one])], args.trader)}</select>
      <select aria-label="Event" @change=${(event) => setQuery({ event: event.target.value })}>${pick(EVENTS, args.event)}</select>
      <input type="search" placeholder="Symbol" aria-label="Symbol" .value=${args.symbol} @change=${(event) => setQuery({ symbol: event.target.value.trim() })} />
      <input class="wide" type="search" placeholder="In the note" aria-label="Text in the note" .value=${args.text} @input=${(event) => setQuery({ text: event.target.value })} />
      <form class="jump" @submit=${jump}><input name="to" placeholder="Time or number" aria-label="Jump to a time (UTC) or a number" .value=${route.value.query.get("from") ?? ""} /><button>Go</button></form>
      ${live() ? nothing : html`<button class="chief" @click=${() => setQuery({ from: "" })}>Live</button>`}
      <button ?disabled=${!oldest() || oldest() <= (data.value?.first_seq ?? 0)} @click=${() => setQuery({ from: oldest() - 1 })}>Older</button>
      <span class="wide">${savedViews("signals")}</span><button class="wide" @click=${save}>CSV</button>
      <span class="count" role="status">${held.value !== null ? html`<span class="held">order held${held.value ? `, ${held.value} waiting` : ""}</span>` : nothing}
        ${live() ? "live, newest" : "up to"} <b>${marked(live() ? "signals.last_seq" : "signals.newest", newest)}</b></span></div>`;
  }

  return {
    draw: () => html`<h1 class="unseen">Signals</h1>${bar()}${refused.value ? waiting(refused.value) : nothing}${rows.element}`,
    close() {
      stop();
      following.end();
      rows.close();
    },
  };
}
