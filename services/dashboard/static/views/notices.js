// Notices: what operators should hear of. Circuits that open and close, changes of feature flags, another journal.
import { subscribe } from "../connection.js";
import { moment, whole } from "../format.js";
import { pick, stateWord, traderLink, waiting } from "../parts/pieces.js";
import { flagAddress, route, setQuery } from "../parts/router.js";
import { html, nothing, repeat, signal } from "../vendor.js";

export function open() {
  const data = signal(null);
  const refused = signal("");
  const following = subscribe("notices", { count: 500 }, (now) => (data.value = now), (text) => (refused.value = text));

  const about = (one) => (one.trader ? traderLink(one.trader) : one.what === "feature flag" && one.flag ? html`<a href=${flagAddress(one.flag)}>${one.flag}</a>` : html`<span class="muted">engine</span>`);
  const line = (one) => html`<tr><td class="end muted spare">${whole(one.seq)}</td><td class="time">${moment(one.time_ms)}</td><th scope="row">${about(one)}</th><td class="muted">${one.what}</td>
    <td><span class="change">${one.what.includes("circuit") ? stateWord(one.before) : html`<span>${one.before || "–"}</span>`}<i aria-label="to">→</i>${one.what.includes("circuit") ? stateWord(one.after) : html`<b>${one.after || "–"}</b>`}</span></td><td class="reason">${one.reason}</td></tr>`;

  return {
    draw() {
      const now = data.value;
      if (!now) return html`<h1 class="unseen">Notices</h1>${waiting(refused.value)}`;
      const what = route.value.query.get("what") ?? "";
      const kinds = [...new Set([...now.notices.map((one) => one.what), ...(what ? [what] : [])])].sort();
      const list = now.notices.filter((one) => !what || one.what === what);
      return html`<h1 class="unseen">Notices</h1><div class="bar"><select aria-label="Kind" @change=${(event) => setQuery({ what: event.target.value })}>${pick([["", "All kinds"], ...kinds.map((kind) => [kind, kind])], what)}</select>
          <span class="count">newest <b data-figure="notices.last_seq" data-value=${now.last_seq ?? ""}>${whole(now.last_seq)}</b></span></div>
        <div class="wide-table stack"><table><thead><tr><th class="end">Number</th><th>Time (UTC)</th><th>About</th><th>What</th><th>Change</th><th>Why</th></tr></thead><tbody>${repeat(list, (one) => one.seq, line)}</tbody></table></div>
        ${list.length ? nothing : html`<p class="hint">Nothing to tell: no circuit opened, no feature flag changed.</p>`}`;
    },
    close: () => following.end(),
  };
}
