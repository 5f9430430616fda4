// Feature flags: all of them, or one with everything that may be set, its ramp, its arms and its history.
import { subscribe } from "../connection.js";
import { marked, NONE, whole } from "../format.js";
import { needsToken, stateWord, waiting } from "../parts/pieces.js";
import { flagAddress } from "../parts/router.js";
import { html, nothing, repeat, signal } from "../vendor.js";
import { flagPage } from "../parts/flag_page.js";
import { standingOf } from "../parts/flag_standing.js";

export function open(name) {
  if (name) return flagPage(name);
  const data = signal(null);
  const refused = signal("");
  const following = subscribe("flags", {}, (now) => (data.value = now), (text) => (refused.value = text));

  const line = (flag) => {
    const on = Object.values(flag.traders ?? {}).filter(Boolean).length;
    const all = Object.keys(flag.traders ?? {}).length;
    const forced = Object.keys(flag.force ?? {}).length + Object.keys(flag.owners ?? {}).length;
    return html`<tr><th scope="row"><a href=${flagAddress(flag.flag)}>${flag.flag}</a></th><td class="far">${standingOf(flag)}</td>
      <td class="end spare">${all ? html`${marked(`flags.${flag.flag}.on`, on)} of ${whole(all)}` : flag.by === "symbol" ? "by symbol" : NONE}</td><td class="end spare">${marked(`flags.${flag.flag}.forced`, forced || null)}</td>
      <td class=${flag.ramp ? "" : "spare"}>${flag.ramp ? stateWord(flag.ramp.state) : html`<span class="muted">–</span>`}</td><td class="reason">${flag.meaning}${flag.declared_by?.length ? html` <small>declared by ${flag.declared_by.join(", ")}</small>` : nothing}</td></tr>`;
  };

  return {
    draw() {
      const now = data.value;
      if (!now) return html`<h1 class="unseen">Feature flags</h1>${waiting(refused.value)}`;
      return html`<header class="title"><h1>Feature flags</h1><span class="muted">revision <b data-figure="flags.revision" data-value=${now.revision ?? ""}>${whole(now.revision)}</b></span></header>
        ${now.trouble ? html`<ul class="problems"><li class="fail bad"><b>${now.trouble}</b></li></ul>` : nothing}
        ${needsToken("Changes of feature flags")}
        <div class="wide-table stack"><table><thead><tr><th>Flag</th><th>Value</th><th class="end">On for</th><th class="end">Forced</th><th>Ramp</th><th>Meaning</th></tr></thead>
        <tbody>${repeat(now.flags ?? [], (flag) => flag.flag, line)}</tbody></table></div>`;
    },
    close: () => following.end(),
  };
}
