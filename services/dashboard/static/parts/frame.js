// Header, the line on the connection, and foot.
import { connect, heardAt, hello, retryAt, state } from "../connection.js";
import { clock, figure, share, short, whole } from "../format.js";
import { html, nothing, signal } from "../vendor.js";
import { route } from "./router.js";
import { search } from "./search.js";
import { overview, refusal } from "./status.js";
import { remembered } from "./storage.js";

const SILENT_MS = 6_000;
const VIEWS = [["/", "overview", "Overview"], ["/matches", "matches", "Matches"], ["/traders", "traders", "Traders"], ["/signals", "signals", "Signals"]];
const MORE = [["/notices", "notices", "Notices"], ["/flags", "flags", "Flags"], ["/debug", "debug", "Debug"]];

const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1000);

const theme = remembered("theme", "");
theme.subscribe((value) => {
  if (value) document.documentElement.dataset.theme = value;
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new Event("tickflag:theme"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("tickflag:theme")));

const dark = () => (theme.value || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

/** One word on what is shown: live, silent, reconnecting, ... and whether that is well. */
function standing() {
  if (state.value === "connecting") return ["connecting", ""];
  if (state.value === "lost") return ["reconnecting", "bad"];
  if (state.value === "asleep") return ["paused", ""];
  if (hello.value && !hello.value.readable) return ["token needed", "warn"];
  if (hello.value && !hello.value.monitoring) return ["monitoring off", "warn"];
  if (heardAt.value && now.value - heardAt.value > SILENT_MS) return [`silent for ${Math.round((now.value - heardAt.value) / 1000)} s`, "warn"];
  const feed = overview.value?.feed;
  if (feed && !["running", "live", "ok"].includes(feed.state)) return [`feed ${feed.state}`, "warn"];
  return ["live", "good"];
}

export function header() {
  const here = route.value.view;
  const current = (view) => (here === view || (here === "trader" && view === "traders") ? "page" : nothing);
  const link = ([address, view, label]) => html`<a href=${address} aria-current=${current(view)}>${label}</a>`;
  const [word, look] = standing();
  return html`<a class="brand" href="/" aria-label="Tickflag, to the overview"><svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M3 1v14M3 2h9l-2.5 3L12 8H3" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round" stroke-linecap="round"/></svg><b>Tickflag</b></a>
    <nav aria-label="Views">${VIEWS.map(link)}<span class="wide">${MORE.map(link)}</span>
      <details class="further narrow"><summary aria-label="More views">More</summary><div>${MORE.map(link)}</div></details></nav>
    ${search()}
    <span class="standing ${look}" role="status" data-standing=${word}><i aria-hidden="true"></i><span>${word}</span></span>
    <button class="plain theme" aria-label=${dark() ? "Use light colours" : "Use dark colours"} title=${dark() ? "Light" : "Dark"} @click=${() => (theme.value = dark() ? "light" : "dark")}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor"/></svg></button>`;
}

/** The line below the header: the connection is gone, or the server refuses. */
export function notice() {
  if (state.value === "lost") {
    const left = Math.max(0, Math.ceil((retryAt.value - now.value) / 1000));
    const since = heardAt.value ? html` What you see is from ${clock(heardAt.value)}.` : nothing;
    const next = retryAt.value ? `Next try ${left ? `in ${left} s` : "now"}.` : "Trying now.";
    return html`<div class="notice bad" role="alert"><span>No connection to the engine.${since}</span> <span aria-hidden="true">${next}</span>
      <button @click=${connect}>Try now</button></div>`;
  }
  if (state.value === "open" && hello.value && !hello.value.readable) {
    return html`<div class="notice warn" role="alert">Reading needs the token, too. Type <code>tickflag dashboard --open</code> on the engine's machine.</div>`;
  }
  if (state.value === "open" && refusal.value) return html`<div class="notice warn" role="alert">${refusal.value}</div>`;
  return nothing;
}

export function foot() {
  const data = overview.value;
  return html`<span class="wide">${hello.value ? html`${hello.value.instance} · ${hello.value.version}` : "not connected"}</span>
    <span class="wide">${figure("overview", data, "feed.symbols", whole)} symbols · ${figure("overview", data, "feed.ticks_per_s", short)} ticks/s ·
      ${figure("overview", data, "engine.efficiency", share)} skipped</span>
    <span class="wide">${clock(data?.time_ms)} UTC</span>
    <span class="credit"><a href="https://www.tradingview.com/" target="_blank" rel="noreferrer noopener">TradingView Lightweight Charts™ © 2026 TradingView, Inc.</a></span>
    <button class="plain wide" @click=${() => document.dispatchEvent(new Event("tickflag:keys"))}>Keys <kbd>?</kbd></button>`;
}
