// Numbers and times as text, the same on every view. What is unknown is a dash. Times are UTC.
import { html } from "./vendor.js";

export const NONE = "–";
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

/** 12,345 */
export const whole = (value) => (known(value) ? grouped.format(value) : NONE);

/** 950, 12.3 k, 4.56 M: three digits. */
export function short(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  for (const [unit, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= unit * 0.9995) return `${digits(value / unit, 3)} ${letter}`;
  }
  return Number.isInteger(value) ? String(value) : digits(value, 3);
}

/** So many digits that count, without an exponent. */
function digits(value, count) {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(count)); // 999.96 has four digits before the point once it is rounded
  const before = Math.floor(Math.log10(Math.abs(rounded))) + 1;
  return rounded.toFixed(Math.max(0, Math.min(12, count - before)));
}

/** A price: as many decimals as its size asks for. */
export function price(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 1000) return value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  if (size >= 1) return value.toFixed(4);
  return size === 0 ? "0" : digits(value, 5);
}

/** A score: four digits, three of small ones. */
export function score(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 10000) return short(value);
  if (size > 0 && size < 1e-5) return value.toExponential(1);
  return digits(value, size < 0.01 ? 3 : 4);
}

/** 0.941 as 94.1 %. */
export const share = (value) => (known(value) ? `${(value * 100).toFixed(Math.abs(value) >= 0.9995 ? 0 : 1)} %` : NONE);

/** 30 as 30 %, 12.5 as 12.5 %. */
export const percent = (value) => (known(value) ? `${Number(value.toFixed(2))} %` : NONE);

/** 0.0241 as +2.41 %. */
export const change = (value) =>
  known(value) ? `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value * 100).toFixed(2)} %` : NONE;

/** A duration in ms: 640 µs, 12 ms, 3.2 s, 4 min, 2 h, 5 d. */
export function lasting(ms) {
  if (!known(ms)) return NONE;
  if (ms < 0) return `−${lasting(-ms)}`;
  if (ms === 0) return "0 ms";
  if (ms < 0.001) return `${digits(ms * 1e6, 3)} ns`;
  if (ms < 1) return `${digits(ms * 1000, 3)} µs`;
  if (ms < 1000) return `${digits(ms, 3)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
  return `${Math.floor(ms / 86_400_000)} d ${Math.floor((ms % 86_400_000) / 3_600_000)} h`;
}

/** How long ago, in one unit: 4 s, 12 min, 3 h, 2 d. */
export function ago(ms) {
  if (!known(ms)) return NONE;
  if (ms < 1000) return ms < 0 ? "0 s" : `${(Math.max(ms, 0) / 1000).toFixed(1)} s`;
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** 1,536 as 1.50 KiB. */
export function bytes(value) {
  if (!known(value)) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) (value /= 1024), (unit += 1);
  return `${unit ? digits(value, 3) : whole(value)} ${units[unit]}`;
}

const iso = (ms) => new Date(ms).toISOString();

/** 14:03:05 */
export const clock = (ms) => (known(ms) && ms > 0 ? iso(ms).slice(11, 19) : NONE);

/** 2026-11-29 14:03:05 */
export const moment = (ms) => (known(ms) && ms > 0 ? iso(ms).slice(0, 19).replace("T", " ") : NONE);

/** The time alone where it is today's, else with the day. */
export function when(ms) {
  if (!known(ms) || ms <= 0) return NONE;
  return iso(ms).slice(0, 10) === iso(Date.now()).slice(0, 10) ? clock(ms) : moment(ms).slice(5);
}

/** Yes, no, or a dash. */
export const yes = (value) => (known(value) ? (value ? "yes" : "no") : NONE);

/** The value at `path` (`feed.ticks_per_s`) of a topic's data; undefined where something on the way is missing. */
export const at = (data, path) => path.split(".").reduce((value, key) => value?.[key], data);

/**
 * A figure that tests can compare with the counter it stands for: its place (topic, perhaps a row, field) and its
 * plain value.
 */
export function marked(place, value, form = whole) {
  const plain = known(value) && typeof value !== "object" ? String(value) : "";
  return html`<span class="figure" data-figure=${place} data-value=${plain}>${form(value)}</span>`;
}

/** The figure at `path` of a topic's data. `topic` may name a row as well: `traders.rsi`. */
export const figure = (topic, data, path, form = whole) => marked(`${topic}.${path}`, at(data, path), form);
