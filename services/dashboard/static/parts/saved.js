// Views that a user kept under a name: the query string of an address, in this browser.
import { html, nothing } from "../vendor.js";
import { confirmed, say, typed } from "./dialogs.js";
import { go } from "./router.js";
import { remembered } from "./storage.js";

const NOTHING = {};
const kept = remembered("views", NOTHING); // {view: {name: query string}}

const change = (view, views) => (kept.value = { ...kept.value, [view]: views });

async function save(view) {
  const name = await typed("Save this view", "Name");
  if (!name) return;
  change(view, { ...kept.value[view], [name]: location.search });
  say(`Saved as ${name}, in this browser.`);
}

async function remove(view, name) {
  if (!(await confirmed(`Remove the saved view ${name}?`, "Only the name is lost; nothing else changes.", "Remove"))) return;
  const { [name]: _gone, ...rest } = kept.value[view];
  change(view, rest);
}

/** The menu of the views saved for `/view`. */
export function savedViews(view) {
  const views = Object.entries(kept.value[view] ?? {}).sort();
  return html`<details class="menu"><summary>Saved views</summary><div>
    ${views.map(
      ([name, query]) => html`<span class="line"><a href="/${view}${query}" @click=${(event) => (event.preventDefault(), event.target.closest("details").removeAttribute("open"), go(`/${view}${query}`))}>${name}</a>
        <button class="plain" aria-label="Remove ${name}" @click=${() => remove(view, name)}>×</button></span>`,
    )}
    ${views.length ? nothing : html`<span class="hint">None yet.</span>`}
    <button @click=${() => save(view)}>Save this view…</button></div></details>`;
}
