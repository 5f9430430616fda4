// A small panel over every view, for whoever debugs: what the engine saves and how it swaps. Key `d`; remembered.
import { figure, lasting, share, short } from "./format.js";
import { remembered } from "./parts/storage.js";
import { overview } from "./parts/status.js";
import { html, nothing } from "./vendor.js";

const open = remembered("overlay", false);

export function toggleOverlay() {
  open.value = !open.value;
}

export function overlay() {
  if (!open.value) return nothing;
  const data = overview.value;
  const all = data?.engine?.batch_mode ?? [];
  const line = (label, path, form) => html`<dt>${label}</dt><dd>${figure("overview", data, path, form)}</dd>`;
  return html`<aside class="overlay" aria-label="Figures of the engine">
    <dl>
      ${line("efficiency", "engine.efficiency", share)}
      ${line("symbols / s", "engine.processed_per_s", short)}
      ${line("swap time", "feed.swap_time_us", (us) => lasting(us === null || us === undefined ? us : us / 1000))}
      <dt>batch mode</dt>
      <dd data-figure="overview.engine.batch_mode" data-value=${all.join(",")}>${all.length ? all.join(", ") : "none"}</dd>
    </dl>
    <button class="plain" aria-label="Close the figures" @click=${toggleOverlay}>×</button>
  </aside>`;
}
