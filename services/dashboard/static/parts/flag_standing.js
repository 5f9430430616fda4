// The standing of a feature flag: what of all that is set counts for most.
import { marked, percent } from "../format.js";
import { html } from "../vendor.js";
import { stateWord } from "./pieces.js";

/** What counts for most: killed, set by the setting, a percentage, on or off. */
export function standingOf(flag) {
  if (flag.killed) return stateWord("killed");
  if (flag.setting !== null && flag.setting !== undefined) return html`${stateWord(flag.setting ? "on" : "off")} <small>by the setting</small>`;
  if (flag.percentage !== null && flag.percentage !== undefined) return html`<span class="percent"><svg viewBox="0 0 60 6" width="60" height="6" aria-hidden="true"><rect width="60" height="6" rx="3" class="track"/><rect width=${Math.max(2, flag.percentage * 0.6)} height="6" rx="3" class="part"/></svg>${marked(`flags.${flag.flag}.percentage`, flag.percentage, percent)}</span>`;
  return stateWord(flag.default ? "on" : "off");
}
