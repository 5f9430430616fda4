// The search of the header: symbols as the engine finds them, and the traders. Key `/`.
import { subscribe } from "../connection.js";
import { html, nothing, signal } from "../vendor.js";
import { go, symbolAddress, traderAddress } from "./router.js";
import { overview } from "./status.js";

const COUNT = 12;
const text = signal("");
const found = signal({ names: [], total: 0 });
const chosen = signal(0);
const open = signal(false);
let following = null;

export function focusSearch() {
  document.getElementById("search").focus();
}

function typed(event) {
  text.value = event.target.value;
  chosen.value = 0;
  open.value = true;
  if (!text.value.trim()) return forget();
  const args = { text: text.value.trim(), count: COUNT };
  if (following) following.change(args);
  else following = subscribe("symbols", args, (data) => (found.value = data));
}

function forget() {
  following?.end();
  following = null;
  found.value = { names: [], total: 0 };
}

function close() {
  open.value = false;
  text.value = "";
  forget();
}

function results() {
  const wanted = text.value.trim().toLowerCase();
  if (!wanted) return [];
  const traders = (overview.value?.traders ?? []).map((trader) => trader.name).filter((name) => name.toLowerCase().includes(wanted));
  return [
    ...found.value.names.map((name) => ({ name, kind: "symbol", address: symbolAddress(name) })),
    ...traders.slice(0, 4).map((name) => ({ name, kind: "trader", address: traderAddress(name) })),
  ];
}

function pressed(event) {
  const list = results();
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    chosen.value = (chosen.value + step + list.length) % Math.max(1, list.length);
  } else if (event.key === "Enter" && list[chosen.value]) {
    choose(list[chosen.value], event.target);
  } else if (event.key === "Escape") {
    event.target.blur();
    close();
  }
}

function choose(result, input) {
  input.blur();
  close();
  go(result.address);
}

export function search() {
  const list = open.value ? results() : [];
  const shown = open.value && text.value.trim() !== "";
  const input = () => document.getElementById("search");
  return html`<div class="search" role="search">
    <input id="search" type="search" role="combobox" autocomplete="off" spellcheck="false" placeholder="Search symbols"
      aria-label="Search symbols and traders" aria-expanded=${list.length > 0} aria-controls="found" aria-autocomplete="list"
      aria-activedescendant=${list.length ? `found-${chosen.value}` : nothing} aria-keyshortcuts="/"
      .value=${text.value} @input=${typed} @keydown=${pressed} @blur=${() => setTimeout(() => (open.value = false), 150)}
      @focus=${() => (open.value = true)} />
    <kbd aria-hidden="true">/</kbd>
    <ul id="found" role="listbox" aria-label="Found" ?hidden=${!shown}>
      ${list.map(
        (result, index) => html`<li id="found-${index}" role="option" aria-selected=${index === chosen.value}
          @pointerdown=${(event) => (event.preventDefault(), choose(result, input()))}>
          <span>${result.name}</span><small>${result.kind}</small></li>`,
      )}
      ${list.length || !shown ? nothing : html`<li class="hint">Nothing is called so.</li>`}
      ${found.value.total > COUNT ? html`<li class="hint">and ${found.value.total - COUNT} more: type on</li>` : nothing}
    </ul>
  </div>`;
}
