// The page: header, the view that the address names, overlay and foot. Views come when they are first opened.
import { connect, hello, state } from "./connection.js";
import { overlay, toggleOverlay } from "./overlay.js";
import { answer, shown } from "./parts/dialogs.js";
import { foot, header, notice } from "./parts/frame.js";
import { go, route } from "./parts/router.js";
import { focusSearch } from "./parts/search.js";
import { effect, html, render, signal, untracked } from "./vendor.js";

const TITLES = { overview: "Overview", matches: "Matches", traders: "Traders", signals: "Signals", notices: "Notices", flags: "Flags", debug: "Debug" };
const DIGITS = ["/", "/matches", "/traders", "/signals", "/notices", "/flags", "/debug"];

// A menu closes when something else is clicked, by Escape, and when another view opens.
const closeMenus = (but) => {
  for (const menu of document.querySelectorAll("details.menu[open], details.further[open]")) if (!menu.contains(but)) menu.removeAttribute("open");
};

const opened = signal(null); // {view, draw()}: the view in sight
let place = "";
let wanted = 0;

effect(() => {
  const { view, name } = route.value;
  const now = `${view} ${name}`;
  if (now === place) return;
  place = now;
  closeMenus(null);
  untracked(() => open(view, name));
});

async function open(view, name) {
  const turn = ++wanted;
  document.title = `${name || TITLES[view] || "Not found"} · Tickflag`;
  let made;
  try {
    made = view === "unknown" ? { draw: unknown } : (await import(`./views/${view}.js`)).open(name);
  } catch (error) {
    console.error(error);
    made = { draw: () => html`<p class="hint">This view could not be loaded: ${error.message}. Load the page again.</p>` };
  }
  if (turn !== wanted) return made.close?.();
  opened.peek()?.close?.();
  opened.value = made;
}

const unknown = () => html`<h1>Not found</h1><p class="hint">There is no view at this address. <a href="/">To the overview</a></p>`;

effect(() => render(header(), document.getElementById("header")));
effect(() => render(notice(), document.getElementById("notice")));
effect(() => render(foot(), document.getElementById("foot")));
effect(() => render(overlay(), document.getElementById("overlay")));
effect(() => render(answer(), document.getElementById("answer")));

// A view draws into an element of its own, so nothing of the last one is left in it.
let stop = () => {};
effect(() => {
  const made = opened.value;
  untracked(() => {
    stop();
    if (!made) return;
    const room = document.createElement("div");
    room.className = `view ${route.peek().view}`;
    document.getElementById("view").replaceChildren(room);
    stop = effect(() => render(made.draw(), room));
  });
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  if (event.key === "d") toggleOverlay();
  else if (event.key === "/") focusSearch();
  else if (event.key === "?") keys();
  else if (DIGITS[event.key - 1]) go(DIGITS[event.key - 1]);
  else return;
  event.preventDefault();
});

document.addEventListener("pointerdown", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus(null));

const keys = () =>
  shown(html`<h2>Keys</h2>
    <dl class="keys">
      <dt><kbd>/</kbd></dt><dd>search symbols, traders and flags</dd>
      <dt><kbd>d</kbd></dt><dd>figures of the engine over every view, on and off</dd>
      <dt><kbd>1</kbd> – <kbd>7</kbd></dt><dd>overview, matches, traders, signals, notices, flags, debug</dd>
      <dt><kbd>↑</kbd> <kbd>↓</kbd> <kbd>Enter</kbd></dt><dd>in a list: choose a row, open it</dd>
      <dt><kbd>Esc</kbd></dt><dd>leave a list or a dialog</dd>
      <dt><kbd>?</kbd></dt><dd>these keys</dd>
    </dl>`);
document.addEventListener("tickflag:keys", keys);

effect(() => {
  document.documentElement.dataset.connection = state.value;
  document.documentElement.dataset.writable = String(hello.value?.writable ?? false);
});
connect();
