// Matches: trader by symbol, live, in a window of the whole list. Sort, filters and columns stand in the address.
import { once, subscribe } from "../connection.js";
import { ago, change, NONE, price, score, short, whole } from "../format.js";
import { downloadRows } from "../parts/csv.js";
import { say } from "../parts/dialogs.js";
import { waiting } from "../parts/pieces.js";
import { route, setQuery, symbolAddress, traderAddress } from "../parts/router.js";
import { savedViews } from "../parts/saved.js";
import { overview } from "../parts/status.js";
import { Rows } from "../rows.js";
import { computed, effect, html, nothing, signal, untracked } from "../vendor.js";

const PAGE = 2_000, OVERLAP = 100; // rows a request of the export, and those that it has in common with the last one
const MOST_KEYS = 4; // columns that the engine sorts by at once
const ENTERED = 1, STALE = 2, LEFT = 3;
const amount = (key, label, title) => ({ key, label, title, width: "minmax(76px, .7fr)", end: true, text: (row) => short(row[key]), value: (row) => row[key] });
const quote = (key, label, title) => ({ key, label, title, width: "minmax(88px, .9fr)", end: true, text: (row) => price(row[key]), value: (row) => row[key] });
const sign = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");
const age = (row) => (row.entered_ms > 0 ? ago(overview.peek() ? overview.peek().time_ms - row.entered_ms : Date.now() - row.entered_ms) : NONE);

const COLUMNS = [
  { key: "mark", label: "", title: "▲ entered, ▽ left within 5 s; ◌ stale", sort: false, width: "22px", phone: "18px", text: (row) => (row.mark === ENTERED ? "▲" : row.mark === LEFT ? "▽" : row.mark === STALE ? "◌" : ""), look: (row) => `sign ${row.mark === ENTERED ? "enter" : row.mark === LEFT ? "leave" : ""}` },
  { key: "symbol", label: "Symbol", width: "minmax(130px, 1.3fr)", phone: "minmax(0, 1.7fr)", text: (row) => row.symbol, link: (row) => symbolAddress(row.symbol) },
  { key: "trader", label: "Trader", width: "minmax(100px, 1fr)", phone: "minmax(0, 1.2fr)", text: (row) => row.trader, link: (row) => traderAddress(row.trader) },
  { key: "score", label: "Score", width: "minmax(70px, .7fr)", phone: "56px", end: true, text: (row) => score(row.score), value: (row) => row.score },
  { key: "entered_ms", label: "Since", title: "how long it matches", width: "minmax(60px, .6fr)", end: true, text: age, value: (row) => row.entered_ms },
  { key: "note", label: "Note", width: "minmax(120px, 1.8fr)", sort: false, text: (row) => row.note, tip: (row) => row.note, look: () => "note" },
  { ...quote("last", "Last"), phone: "86px" },
  { key: "change_24h", label: "24 h", title: "change in 24 hours", width: "minmax(76px, .7fr)", end: true, text: (row) => change(row.change_24h), look: (row) => sign(row.change_24h), value: (row) => row.change_24h },
  amount("volume_24h", "Volume 24 h"),
  quote("high_24h", "High 24 h"), quote("low_24h", "Low 24 h"), quote("open_24h", "Open 24 h"),
  quote("bid", "Bid"), quote("ask", "Ask"),
  amount("bid_size", "Bid size"), amount("ask_size", "Ask size"), amount("last_size", "Last size"), amount("volume", "Volume"),
  { key: "age_ms", label: "Age", title: "since the last update of the symbol", width: "minmax(56px, .5fr)", end: true, text: (row) => ago(row.age_ms), value: (row) => row.age_ms },
];
const ALWAYS = ["mark", "symbol", "trader"];
const SHOWN = ["score", "entered_ms", "note", "last", "change_24h", "volume_24h", "high_24h", "low_24h", "age_ms"];
const NUMBERS = COLUMNS.filter((column) => column.end && column.key !== "entered_ms");

/** sort=-score,symbol as [["score", "desc"], ["symbol", "asc"]]. */
function sortOf(query) {
  const known = (query.get("sort") ?? "-score").split(",").map((key) => (key.startsWith("-") ? [key.slice(1), "desc"] : [key, "asc"]));
  return known.slice(0, MOST_KEYS).filter(([key]) => COLUMNS.some((column) => column.key === key && column.sort !== false));
}

/** range=last:1:,score::5 as {last: [1, null], score: [null, 5]}. */
function rangesOf(query) {
  const ranges = {};
  for (const text of (query.get("range") ?? "").split(",")) {
    const [key, low = "", high = ""] = text.split(":");
    const number = (side) => (side.trim() === "" || Number.isNaN(Number(side)) ? null : Number(side));
    if (NUMBERS.some((column) => column.key === key) && (number(low) !== null || number(high) !== null)) ranges[key] = [number(low), number(high)];
  }
  return ranges;
}

function argumentsOf(query) {
  const traders = (query.get("traders") ?? "").split(",").filter(Boolean);
  return { traders: traders.length ? traders : null, text: query.get("text") ?? "", sort: sortOf(query), ranges: rangesOf(query) };
}

function rowsOf(columns, count) {
  const keys = Object.keys(columns);
  return Array.from({ length: count }, (_, index) => Object.fromEntries(keys.map((key) => [key, columns[key][index]])));
}

/** The rows sorted by several columns; what is not known stands last. */
function arranged(rows, sort) {
  const order = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  const unknown = (value) => Number(value === null || Number.isNaN(value));
  return rows.sort((one, other) => {
    for (const [key, way] of sort) {
      const found = unknown(one[key]) - unknown(other[key]) || order(one[key], other[key]) * (way === "desc" ? -1 : 1);
      if (found) return found;
    }
    return 0;
  });
}

export function open() {
  const total = signal(null);
  const traders = signal([]);
  const refused = signal("");
  const held = signal(null);
  let view = { first: 0, count: 60 };
  let following = null;
  const wanted = computed(() => argumentsOf(route.value.query));
  const shown = computed(() => (route.value.query.get("columns") ?? SHOWN.join(",")).split(","));
  const columns = () => COLUMNS.filter(({ key }) => ALWAYS.includes(key) || shown.value.includes(key));

  const rows = new Rows({
    label: "Matches",
    columns: untracked(columns),
    key: (row) => `${row.trader}\n${row.symbol}`,
    address: (row) => symbolAddress(row.symbol),
    look: (row) => (row.mark === ENTERED ? "entered" : row.mark === LEFT ? "left" : row.mark === STALE ? "stale" : ""),
    figures: (row) => `matches.${row.trader}.${row.symbol}`,
    empty: "Nothing matches here now.",
    ask: (first, count) => {
      view = { first, count };
      following?.change({ ...wanted.peek(), ...view });
    },
    sorted: (key, more) => {
      const now = wanted.peek().sort;
      const before = now.find(([name]) => name === key);
      const start = key === "symbol" || key === "trader" ? "asc" : "desc";
      const direction = before ? (before[1] === "asc" ? "desc" : "asc") : start;
      const sort = more ? (before ? now.map((one) => (one === before ? [key, direction] : one)) : [...now, [key, start]]) : [[key, direction]];
      setQuery({ sort: sort.slice(-MOST_KEYS).map(([name, way]) => (way === "desc" ? `-${name}` : name)).join(",") });
    },
    held: (waitingNow) => (held.value = waitingNow),
  });

  following = subscribe(
    "matches",
    { ...untracked(() => wanted.value), ...view },
    (data, values, count) => {
      refused.value = "";
      total.value = data.matching ?? data.total;
      traders.value = data.traders ?? [];
      rows.take(data.first, data.total, rowsOf(values, count));
    },
    (text) => (refused.value = text),
  );

  let before = "";
  const stopFollowing = effect(() => {
    const args = wanted.value;
    rows.setOrder(args.sort);
    const now = JSON.stringify(args);
    if (before && now !== before) {
      rows.restart();
      view = { ...view, first: 0 };
      following.change({ ...args, ...view });
    }
    before = now;
  });
  const stopColumns = effect(() => rows.setColumns(columns()));

  async function save() {
    try {
      // Asked for in the order of names, which no price changes: so no row is missed between two requests.
      const args = { ...wanted.peek(), sort: [], rows: "matching" };
      const all = new Map();
      let names = [];
      for (let first = 0, many = 1; first < many; first += PAGE - OVERLAP) {
        const { data, columns: values, rows: count } = await once("matches", { ...args, first, count: PAGE });
        names = Object.keys(values).filter((name) => name !== "mark");
        for (const row of rowsOf(values, count)) all.set(`${row.trader}\n${row.symbol}`, row);
        many = data.total;
      }
      const list = arranged([...all.values()], wanted.peek().sort);
      downloadRows("matches.csv", names, list.map((row) => names.map((name) => row[name])));
      say(`${whole(list.length)} matches saved as matches.csv.`);
    } catch (error) {
      say(error.message, true);
    }
  }

  const toggle = (list, name) => (list.includes(name) ? list.filter((one) => one !== name) : [...list, name]);
  const setColumns = (key) => setQuery({ columns: toggle(shown.peek(), key).join(",") || "none" });
  const setTraders = (name) => setQuery({ traders: toggle(wanted.peek().traders ?? [], name).join(",") });

  function setRange(key, side, text) {
    const ranges = { ...wanted.peek().ranges };
    const range = [...(ranges[key] ?? [null, null])];
    range[side] = text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text);
    ranges[key] = range;
    setQuery({ range: Object.entries(ranges).filter(([, [low, high]]) => low !== null || high !== null).map(([name, [low, high]]) => `${name}:${low ?? ""}:${high ?? ""}`).join(",") });
  }

  function bar() {
    const { traders: chosen, text, ranges } = wanted.value;
    const bounds = Object.keys(ranges).length;
    const known = [...new Set([...traders.value, ...(chosen ?? [])])].sort();
    return html`<div class="bar">
      <input type="search" placeholder="Symbol or trader" aria-label="Filter by symbol or trader" .value=${text} @input=${(event) => setQuery({ text: event.target.value })} />
      <details class="menu"><summary>${chosen ? (chosen.length === 1 ? chosen[0] : `${chosen.length} traders`) : "All traders"}</summary><div>
        ${known.map((name) => html`<label class="check"><input type="checkbox" .checked=${chosen?.includes(name) ?? false} @change=${() => setTraders(name)} />${name}</label>`)}
        ${chosen ? html`<button @click=${() => setQuery({ traders: "" })}>All traders</button>` : nothing}</div></details>
      <details class="menu"><summary>${bounds ? `Ranges: ${bounds}` : "Ranges"}</summary><div class="ranges">
        ${NUMBERS.map(({ key, label }) => html`<label>${label}</label>
          <input inputmode="decimal" placeholder="from" aria-label="${label} from" .value=${ranges[key]?.[0] ?? ""} @change=${(event) => setRange(key, 0, event.target.value)} />
          <input inputmode="decimal" placeholder="to" aria-label="${label} to" .value=${ranges[key]?.[1] ?? ""} @change=${(event) => setRange(key, 1, event.target.value)} />`)}
        ${bounds ? html`<button @click=${() => setQuery({ range: "" })}>No ranges</button>` : nothing}</div></details>
      <details class="menu wide"><summary>Columns</summary><div>
        ${COLUMNS.filter(({ key }) => !ALWAYS.includes(key)).map(({ key, label }) => html`<label class="check"><input type="checkbox" .checked=${shown.value.includes(key)} @change=${() => setColumns(key)} />${label}</label>`)}</div></details>
      <span class="wide">${savedViews("matches")}</span>
      <button class="wide" @click=${save}>CSV</button>
      <span class="count" role="status">${held.value !== null ? html`<span class="held">order held${held.value ? `, ${held.value} waiting` : ""}</span>` : nothing}<b data-figure="matches.matching" data-value=${total.value ?? ""}>${whole(total.value)}</b> matches</span>
    </div>`;
  }

  return {
    draw: () => html`<h1 class="unseen">Matches</h1>${bar()}${refused.value ? waiting(refused.value) : nothing}${rows.element}`,
    close() {
      stopFollowing();
      stopColumns();
      following.end();
      rows.close();
    },
  };
}
