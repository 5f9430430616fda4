// The arms of a feature flag side by side, with the 95 % intervals of their comparison.
import { bytes, lasting, marked, moment, score, short, NONE } from "../format.js";
import { html, nothing } from "../vendor.js";
import { confirmed, perform } from "./dialogs.js";
import { writable } from "./pieces.js";

const ns = (value) => lasting(value === null || value === undefined ? value : value / 1e6);
const METRICS = { cpu_ns: ["Processor time a cycle", ns], processed: ["Symbols a cycle", short], bytes: ["Bytes a cycle", bytes], latency_ns: ["Latency of a result", ns], failures: ["Failures a cycle", score] };
const SCALE = 20; // pixels from half to the same, and on to double

/** Where a ratio lies, from an eighth to eight times. */
const across = (ratio) => 60 + SCALE * Math.max(-3, Math.min(3, Math.log2(ratio)));

function interval({ metric, ratio, low, high, why }) {
  const shown = (key, value) => marked(`flag.experiment.${metric}.${key}`, value, score);
  if (ratio === null || ratio === undefined) return html`<span class="muted" title=${why || nothing}>${why || NONE}</span>`;
  const known = low !== null && low !== undefined && low > 0;
  const sure = known && (low > 1 || high < 1);
  return html`<span class="interval ${sure ? "sure" : ""}"><svg viewBox="0 0 120 12" width="120" height="12" aria-hidden="true"><path d="M60 0v12" class="same"/>
    <path d=${known ? `M${across(low)} 6H${across(high)}` : "M0 0"} class="span"/><circle cx=${across(Math.max(ratio, 0.01))} cy="6" r="3"/></svg>
    ${shown("ratio", ratio)}${known ? html` <small>${shown("low", low)} to ${shown("high", high)}</small>` : html` <small>${why}</small>`}</span>`;
}

export function experimentTable(experiment, flag) {
  if (!experiment) return nothing;
  const { arms, comparisons = [], sample_ratio: sample } = experiment;
  const reset = async () => {
    if (await confirmed("Begin the sums anew?", "What was measured so far is lost.", "Begin anew")) await perform("experiments.reset", { flag }, "The sums begin anew.");
  };
  const metrics = Object.keys(METRICS).filter((key) => arms.some((arm) => arm.means?.[key] !== undefined));
  const compared = comparisons[0];
  return html`<section><header><h2>Experiment</h2><span class="muted">${experiment.running ? "running" : "ended"}, since ${moment(experiment.since_ms)} UTC</span>${writable() ? html`<button class="quiet" @click=${reset}>Begin anew</button>` : nothing}</header>
    ${sample?.warning ? html`<ul class="problems"><li class="warn"><b>The arms have not the shares they should have (p = ${score(sample.p)}).</b><span>Do not trust the comparison before the cause is known.</span></li></ul>` : nothing}
    <div class="wide-table"><table><thead><tr><th>Metric</th>${arms.map((arm) => html`<th class="end">${arm.arm}</th>`)}${compared ? html`<th>${compared.arm} to ${compared.against}, 95 %</th>` : nothing}</tr></thead><tbody>
      <tr><th scope="row">Traders, cycles</th>${arms.map((arm) => html`<td class="end">${marked(`flag.experiment.${arm.arm}.present`, arm.present)} · ${marked(`flag.experiment.${arm.arm}.cycles`, arm.cycles, short)}</td>`)}${compared ? html`<td></td>` : nothing}</tr>
      ${metrics.map((key) => html`<tr><th scope="row">${METRICS[key][0]}</th>${arms.map((arm) => html`<td class="end" data-figure="flag.experiment.${arm.arm}.${key}" data-value=${arm.means?.[key] ?? ""}>${METRICS[key][1](arm.means?.[key])}</td>`)}
        ${compared ? html`<td>${interval(compared.metrics.find((one) => one.metric === key) ?? {})}</td>` : nothing}</tr>`)}</tbody></table></div></section>`;
}
