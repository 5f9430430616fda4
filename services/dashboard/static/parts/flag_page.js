// One feature flag: value, percentage, forces, ramp, arms side by side, explanation and history.
import { once, subscribe } from "../connection.js";
import { marked, moment, NONE, percent } from "../format.js";
import { html, nothing, signal } from "../vendor.js";
import { confirmed, perform, say } from "./dialogs.js";
import { experimentTable } from "./experiment.js";
import { standingOf } from "./flag_standing.js";
import { needsToken, stateWord, waiting, writable } from "./pieces.js";

const PERIODS = { s: 1, m: 60, h: 3600, d: 86400 };

/** 5:1h 25:1d 100:0:approve as steps, as the command line takes them: [percentage, seconds, waits for approval]. */
export function rampSteps(text) {
  return text.trim().split(/\s+/).map((part) => {
    const found = /^(\d+\.?\d*)%?:(\d+\.?\d*)([smhd]?)(:approve)?$/.exec(part);
    if (!found) throw new Error(`"${part}" is no step. Write steps as 5:1h 25:1d 100:0:approve.`);
    return [Number(found[1]), Number(found[2]) * PERIODS[found[3] || "s"], Boolean(found[4])];
  });
}

function period(seconds) {
  for (const [letter, size] of [["d", 86400], ["h", 3600], ["m", 60]]) if (seconds >= size && seconds % size === 0) return `${seconds / size}${letter}`;
  return `${seconds}s`;
}

export function flagPage(name) {
  const data = signal(null);
  const refused = signal("");
  const slid = signal(null); // the slider's place until it is applied
  const explained = signal(null);
  const following = subscribe("flag", { flag: name }, (now) => {
    refused.value = "";
    data.value = now;
  }, (text) => (refused.value = text));

  const set = (args, done) => perform("flags.set", { flag: name, ...args }, done);

  async function kill(on) {
    const text = on ? "It is off for every trader at once, whatever else is set, until the kill switch is taken back." : "What was set before counts again at once.";
    if (await confirmed(on ? `Kill ${name}?` : `Take the kill switch of ${name} back?`, text, on ? "Kill" : "Take back")) {
      await perform("flags.kill", { flag: name, on }, on ? `${name} is killed.` : `${name} is alive.`);
    }
  }

  async function apply() {
    const value = Number(slid.value);
    if (await set({ value }, `${name} is on for ${value} %.`)) slid.value = null;
  }

  async function force(event) {
    event.preventDefault();
    const { kind, who, value } = event.target.elements;
    if (!who.value.trim()) return say("Type a name first.", true);
    if (await perform("flags.force", { flag: name, [kind.value]: who.value.trim(), value: value.value === "on" }, `${name} is forced ${value.value} for ${who.value.trim()}.`)) who.value = "";
  }

  async function ramp(event) {
    event.preventDefault();
    try {
      await perform("flags.ramp", { flag: name, steps: rampSteps(event.target.elements.steps.value) }, `The ramp of ${name} began.`);
    } catch (error) {
      say(error.message, true);
    }
  }

  async function remove() {
    if (await confirmed(`Take back all that was set of ${name}?`, "Its percentage, forces, arms and ramp are lost; the default counts.", "Take back")) {
      await perform("flags.remove", { flag: name }, `${name} is as it was made.`);
    }
  }

  async function explain(event) {
    event.preventDefault();
    const who = event.target.elements.who.value.trim();
    if (!who) return;
    try {
      explained.value = (await once("explain", { flag: name, name: who })).data;
    } catch (error) {
      explained.value = null;
      say(error.message, true);
    }
  }

  const value = (flag) => html`<section><header><h2>Value</h2></header>
    ${writable() ? html`<div class="controls"><div class="choice" role="group" aria-label="Value"><button aria-pressed=${flag.percentage === null && flag.default} @click=${() => set({ value: true }, `${name} is on.`)}>On</button>
        <button aria-pressed=${flag.percentage === null && !flag.default} @click=${() => set({ value: false }, `${name} is off.`)}>Off</button></div>
      <label class="slider">Rollout <input type="range" min="0" max="100" step="1" aria-label="Percentage" data-figure="flag.percentage" data-value=${flag.percentage ?? ""} .value=${String(slid.value ?? flag.percentage ?? 0)} @input=${(event) => (slid.value = event.target.value)} /><output>${percent(slid.value === null ? flag.percentage : Number(slid.value))}</output></label>
      <button class="chief" ?disabled=${slid.value === null} @click=${apply}>Apply</button>
      <span class="push"></span>
      <button class=${flag.killed ? "" : "harm"} @click=${() => kill(!flag.killed)}>${flag.killed ? "Take the kill switch back" : "Kill"}</button></div>` : needsToken("Changes of the flag")}
    <p class="muted">By ${flag.by}. Default <span data-figure="flag.default" data-value=${flag.default}>${flag.default ? "on" : "off"}</span>${flag.setting === null || flag.setting === undefined ? "" : `; the setting says ${flag.setting ? "on" : "off"}`}.
      ${flag.declared_by?.length ? `Declared by ${flag.declared_by.join(", ")}.` : ""}</p></section>`;

  const forces = (flag) => {
    const line = (kind, who, on) => html`<li>${kind} <b>${who}</b> ${stateWord(on ? "on" : "off")}${writable() ? html`<button class="plain" aria-label="No longer force ${who}" @click=${() => perform("flags.force", { flag: name, [kind]: who, value: null }, `${who} is no longer forced.`)}>×</button>` : nothing}</li>`;
    const all = [...Object.entries(flag.force ?? {}).map(([who, on]) => line(flag.by, who, on)), ...Object.entries(flag.owners ?? {}).map(([who, on]) => line("owner", who, on))];
    return html`<section><header><h2>Forced</h2></header>${all.length ? html`<ul class="plainlist">${all}</ul>` : html`<p class="hint">Nobody.</p>`}
      ${writable() ? html`<form class="controls" @submit=${force}><select name="kind" aria-label="Kind"><option value=${flag.by}>${flag.by}</option>${flag.by === "trader" ? html`<option value="owner">owner</option>` : nothing}</select>
        <input name="who" aria-label="Name" placeholder="Name" autocomplete="off" /><select name="value" aria-label="Value"><option>on</option><option>off</option></select><button>Force</button></form>` : nothing}</section>`;
  };

  const ramps = (flag) => html`<section><header><h2>Ramp</h2>${flag.ramp ? stateWord(flag.ramp.state) : nothing}</header>
    ${flag.ramp ? html`<ol class="steps">${flag.ramp.steps.map(([percentage, seconds, approval], index) => html`<li aria-current=${index === flag.ramp.step - 1 ? "step" : nothing}><b>${percent(percentage)}</b>${seconds ? ` for ${period(seconds)}` : ""}${approval ? ", after approval" : ""}</li>`)}</ol>
      ${writable() ? html`<div class="controls">${flag.ramp.state === "waiting for approval" ? html`<button class="chief" @click=${() => perform("flags.approve", { flag: name }, "The next step is approved.")}>Approve the next step</button>` : nothing}
        ${["halted", "done"].includes(flag.ramp.state) ? nothing : html`<button @click=${() => perform("flags.halt", { flag: name }, "The ramp stays where it is.")}>Halt</button>`}
        <button class="harm" @click=${() => perform("flags.rollback", { flag: name }, "The ramp is gone.")}>Roll back</button></div>` : nothing}` : html`<p class="hint">None.</p>`}
    ${writable() && !flag.ramp ? html`<form class="controls" @submit=${ramp}><input class="grow" name="steps" aria-label="Steps" placeholder="5:1h 25:1d 100:0:approve" title="percentage : how long it is held : whether it waits for approval" autocomplete="off" /><button>Begin</button></form>` : nothing}</section>`;

  const explanation = (flag) => html`<section><header><h2>Explain</h2></header><form class="controls" @submit=${explain}><input name="who" aria-label=${flag.by} placeholder=${flag.by === "symbol" ? "Symbol" : "Trader"} autocomplete="off" list="identities" /><datalist id="identities">${Object.keys(flag.traders ?? {}).map((one) => html`<option value=${one}></option>`)}</datalist><button>Explain</button></form>
    ${explained.value ? html`<p><b>${explained.value.name}</b> ${stateWord(explained.value.value ? "on" : "off")}: ${explained.value.why}${explained.value.arm ? ` (arm ${explained.value.arm})` : ""}.
      ${explained.value.bucket === null || explained.value.bucket === undefined ? "" : html`Bucket ${marked("explain.bucket", explained.value.bucket)}.`} ${explained.value.known ? "" : "The name is not known here."}</p>` : nothing}
    ${Object.keys(flag.traders ?? {}).length ? html`<ul class="plainlist flow">${Object.entries(flag.traders).map(([trader, on]) => html`<li>${trader} ${stateWord(on ? "on" : "off")}</li>`)}</ul>` : nothing}</section>`;

  const history = (list) => html`<section class="past"><header><h2>History</h2></header><div class="wide-table"><table><thead><tr><th>Time (UTC)</th><th>Who</th><th>Change</th></tr></thead>
    <tbody>${list.map((one) => html`<tr><td class="time">${moment(one.time_ms)}</td><td>${one.who}</td><td class="reason"><small>${one.field}</small> ${one.before || NONE} <i aria-label="to">→</i> <b>${one.after || NONE}</b></td></tr>`)}</tbody></table></div>
    ${list.length ? nothing : html`<p class="hint">It was never changed.</p>`}</section>`;

  return {
    draw() {
      const now = data.value;
      if (!now) return html`<h1>${name}</h1>${waiting(refused.value)}`;
      const flag = now;
      return html`<header class="title"><h1>${name}</h1>${standingOf(flag)}<span class="push"></span>${writable() ? html`<button class="quiet harm" @click=${remove}>Take back all that was set</button>` : nothing}</header>
        <p>${flag.meaning}</p>${value(flag)}<div class="two">${forces(flag)}${ramps(flag)}</div>
        ${experimentTable(now.experiment, name)}<div class="two">${explanation(flag)}${history(now.history ?? [])}</div>`;
    },
    close: () => following.end(),
  };
}
