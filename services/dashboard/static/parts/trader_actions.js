// What may be done to a trader, as buttons.
import { html, nothing } from "../vendor.js";
import { confirmed, perform } from "./dialogs.js";
import { writable } from "./pieces.js";

const ACTIONS = {
  start: { label: "Start", done: "is started" },
  stop: { label: "Stop", done: "is stopped", harm: "It runs again when it is started, or with the next start of the engine. Its matches stay as they are." },
  restart: { label: "Restart", done: "is restarted" },
  enable: { label: "Enable", done: "is enabled" },
  disable: { label: "Disable", done: "is disabled", harm: "Its matches leave, and it does not run until it is enabled, not even after the next start." },
  release: { label: "Release", done: "is released" },
};

async function ask(action, trader) {
  const { label, done, harm } = ACTIONS[action];
  if (harm && !(await confirmed(`${label} ${trader}?`, harm, label))) return;
  await perform(action === "release" ? "release" : `trader.${action}`, { trader }, `${trader} ${done}.`);
}

/** The circuits as a list, each with its kind: "tracking" or "plugin". */
export const circuitsOf = (circuits) =>
  Array.isArray(circuits)
    ? circuits.map((one) => ({ ...one, kind: one.circuit ?? one.kind }))
    : Object.entries(circuits ?? {}).map(([kind, one]) => (typeof one === "string" ? { kind, state: one } : { kind, ...one }));

const troubled = (circuits) => circuitsOf(circuits).some((one) => one.state !== "closed");

/** The buttons that make sense in the trader's state. */
export function traderActions(trader) {
  if (!writable()) return nothing;
  const { state, name, circuits } = trader;
  const actions = [];
  if (state === "disabled" || trader.enabled === false) actions.push("enable");
  else if (state === "stopped") actions.push("start", "disable");
  else actions.push("restart", "stop", "disable");
  if (state === "quarantined" || troubled(circuits)) actions.push("release");
  return html`<span class="actions">${actions.map((action) => html`<button class=${ACTIONS[action].harm ? "harm quiet" : ""} @click=${() => ask(action, name)}>${ACTIONS[action].label}</button>`)}</span>`;
}

/** The circuits in a few words. */
export function circuitWords(circuits) {
  const bad = circuitsOf(circuits).filter((one) => one.state !== "closed");
  return bad.length ? bad.map((one) => `${one.kind} ${one.state}`).join(", ") : "closed";
}
