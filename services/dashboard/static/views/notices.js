// Notices: what operators should hear of. Circuits that open and close, changes of feature flags, another journal.
import { subscribe } from "../connection.js";
import { marked, moment, whole } from "../format.js";
import { pick, stateWord, traderLink, waiting } from "../parts/pieces.js";
import { flagAddress, route, setQuery } from "../parts/router.js";
import { html, nothing, repeat, signal } from "../vendor.js";

/** The notice of a feature flag names flag and field in both of its texts, as `audit, percentage: 40 %`: once is enough. */
function parted(one) {
  const [before, after] = [one.before, one.after].map((text) => /^([a-z][a-z0-9_]*), (\w+): ([^]*)$/.exec(text ?? ""));
  if (one.what !== "feature flag" || !before || !after) return one;
  return { ...one, flag: after[1], field: after[2], before: before[3], after: after[3] };
}

export function open() {
  const data = signal(null);
  const refused = signal("");
  const following = subscribe("notices", { count: 500 }, (now) => (data.value = now), (text) => (refused.value = text));

  const about = ({ trader, flag }) => (trader ? traderLink(trader) : flag ? html`<a href=${flagAddress(flag)}>${flag}</a>` : html`<span class="muted">engine</span>`);
  const change = ({ what, field, before, after }) =>
    what.includes("circuit")
      ? html`<span class="change">${stateWord(before)}<i aria-label="to">→</i>${stateWord(after)}</span>`
      : html`<span class="change"><span>${field ? html`<small>${field}</small> ` : nothing}${before || "–"} <i aria-label="to">→</i> <b>${after || "–"}</b></span></span>`;
  const line = (one) => html`<tr><td class="end muted spare">${marked(`notices.${one.seq}.seq`, one.seq)}</td><td class="time">${moment(one.time_ms)}</td><th scope="row">${about(one)}</th><td class="muted">${one.what}</td>
    <td class="changes">${change(one)}</td><td class="reason">${one.reason}</td></tr>`;

  return {
    draw() {
      const now = data.value;
      if (!now) return html`<h1 class="unseen">Notices</h1>${waiting(refused.value)}`;
      const what = route.value.query.get("what") ?? "";
      const kinds = [...new Set([...now.notices.map((one) => one.what), ...(what ? [what] : [])])].sort();
      const list = now.notices.filter((one) => !what || one.what === what);
      return html`<h1 class="unseen">Notices</h1><div class="bar"><select aria-label="Kind" @change=${(event) => setQuery({ what: event.target.value })}>${pick([["", "All kinds"], ...kinds.map((kind) => [kind, kind])], what)}</select>
          <span class="count">newest <b data-figure="notices.last_seq" data-value=${now.last_seq ?? ""}>${whole(now.last_seq)}</b></span></div>
        <div class="wide-table stack"><table><thead><tr><th class="end">Number</th><th>Time (UTC)</th><th>About</th><th>What</th><th>Change</th><th>Why</th></tr></thead><tbody>${repeat(list.map(parted), (one) => one.seq, line)}</tbody></table></div>
        ${list.length ? nothing : html`<p class="hint">Nothing to tell: no circuit opened, no feature flag changed.</p>`}`;
    },
    close: () => following.end(),
  };
}
