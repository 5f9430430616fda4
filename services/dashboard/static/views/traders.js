// Traders: state, cost and economy of each, and what may be done to it.
import { subscribe } from "../connection.js";
import { lasting, share, short, whole } from "../format.js";
import { needsToken, traderLink, traderState, waiting } from "../parts/pieces.js";
import { circuitWords, traderActions } from "../parts/trader_actions.js";
import { route, setQuery } from "../parts/router.js";
import { html, nothing, repeat, signal } from "../vendor.js";

const COLUMNS = [
  ["name", "Trader", ""],
  ["state", "State", ""],
  ["circuits", "Circuits", "tracking: may flags be trusted; plugin: may it run"],
  ["matches", "Matches", "", whole],
  ["cycle_ms", "Cycle", "time that a cycle takes", lasting],
  ["ns_per_symbol", "Per symbol", "time that a symbol takes", (ns) => lasting(ns === null || ns === undefined ? ns : ns / 1e6)],
  ["processed", "Processed", "symbols evaluated", short],
  ["skipped", "Skipped", "symbols that did not have to be evaluated", short],
  ["efficiency", "Efficiency", "share of the symbols that was skipped", share],
  ["restarts", "Restarts", "", whole],
];

/** One trader's figure, to be compared with its counter. */
export const traderFigure = (trader, key, form, topic = `traders.${trader.name}`) =>
  html`<span class="figure" data-figure="${topic}.${key}" data-value=${trader[key] ?? ""}>${form(trader[key])}</span>`;

export function open() {
  const data = signal(null);
  const refused = signal("");
  const following = subscribe("traders", {}, (now) => (data.value = now), (text) => (refused.value = text));

  const line = (trader) => html`<tr><th scope="row">${traderLink(trader.name)}<small>${trader.label && trader.label !== trader.name ? trader.label : ""}</small></th>
    <td>${traderState(trader)}${trader.why ? html`<small class="why" title=${trader.why}>${trader.why}</small>` : nothing}</td>
    <td class=${circuitWords(trader.circuits) === "closed" ? "muted" : "bad"} data-label="Circuits"><span>${circuitWords(trader.circuits)}${trader.batch_mode ? html`<small>batch mode</small>` : nothing}</span></td>
    ${COLUMNS.slice(3).map(([key, label, , form]) => html`<td class="end" data-label=${label}>${key === "matches" ? html`<a href="/matches?traders=${encodeURIComponent(trader.name)}">${traderFigure(trader, key, form)}</a>` : traderFigure(trader, key, form)}</td>`)}
    <td class="end">${traderActions(trader)}</td></tr>`;

  function sorted(list) {
    const [, down, key] = /^(-?)(.*)$/.exec(route.value.query.get("sort") ?? "name");
    const value = (trader) => (key === "circuits" ? circuitWords(trader.circuits) : (trader[key] ?? ""));
    const order = (one, other) => (value(one) < value(other) ? -1 : value(one) > value(other) ? 1 : one.name < other.name ? -1 : 1);
    return [...list].sort((one, other) => (down ? order(other, one) : order(one, other)));
  }

  function heading([key, label, title], index) {
    const now = route.value.query.get("sort") ?? "name";
    const way = now === key ? "ascending" : now === `-${key}` ? "descending" : nothing;
    return html`<th class=${index > 2 ? "end" : ""} title=${title || nothing} aria-sort=${way} data-sort=${way === nothing ? nothing : way === "ascending" ? "↑" : "↓"}>
      <button class="heading" @click=${() => setQuery({ sort: now === key ? `-${key}` : now === `-${key}` ? key : index > 2 ? `-${key}` : key })}>${label}</button></th>`;
  }

  return {
    draw() {
      const now = data.value;
      if (!now) return html`<h1 class="unseen">Traders</h1>${waiting(refused.value)}`;
      return html`<h1 class="unseen">Traders</h1>
        ${now.supervisor?.safe ? html`<ul class="problems"><li class="warn"><b>Safe mode: no trader is loaded.</b><span>Start the engine without --safe.</span></li></ul>` : nothing}
        ${needsToken("Starting, stopping and releasing traders")}
        <div class="wide-table cards"><table><thead><tr>${COLUMNS.map(heading)}<th><span class="unseen">Actions</span></th></tr></thead>
        <tbody>${repeat(sorted(now.traders ?? []), (trader) => trader.name, line)}</tbody></table></div>
        ${now.traders?.length ? nothing : html`<p class="hint">No trader is known. <code>tickflag new-trader NAME</code> writes a first version.</p>`}`;
    },
    close: () => following.end(),
  };
}
