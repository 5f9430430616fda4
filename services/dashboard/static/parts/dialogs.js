// Questions before what harms, texts to type, and short answers. Each is a real dialog: Escape closes it.
import { html, nothing, render, signal } from "../vendor.js";
import { act } from "../connection.js";

/** The answer shown for some seconds at the foot: {text, bad}. */
export const said = signal(null);
let clearing = 0;

export function say(text, bad = false) {
  clearTimeout(clearing);
  said.value = { text, bad };
  clearing = setTimeout(() => (said.value = null), bad ? 12_000 : 4_000);
}

/** Ask before `title` happens. Gives whether it may. */
export function confirmed(title, text, button) {
  return asked(
    html`<h2>${title}</h2><p>${text}</p>
      <div class="buttons">
        <button value="">Cancel</button><button class="harm" value="yes">${button}</button>
      </div>`,
  ).then((answer) => answer === "yes");
}

/** Ask for a text. Gives it, or "" where it was cancelled. */
export function typed(title, label, start = "") {
  let text = start;
  return asked(
    html`<h2>${title}</h2>
      <label>${label}<input autofocus .value=${start} maxlength="80" @input=${(event) => (text = event.target.value)} /></label>
      <div class="buttons"><button type="button" data-cancel>Cancel</button><button class="chief" value="yes">Save</button></div>`,
  ).then((answer) => (answer === "yes" ? text.trim() : ""));
}

/** Show `content` until it is closed. */
export const shown = (content) => asked(html`${content}<div class="buttons"><button value="">Close</button></div>`);

function asked(content) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    document.body.append(dialog);
    render(html`<form method="dialog">${content}</form>`, dialog);
    dialog.querySelector("[data-cancel]")?.addEventListener("click", () => dialog.close(""));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close(""));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    dialog.showModal();
  });
}

/** Do it, and say how it went. Gives the result, or null where it failed. */
export async function perform(what, args, done) {
  try {
    const result = await act(what, args);
    say(done);
    return result ?? true;
  } catch (error) {
    say(error.message, true);
    return null;
  }
}

/** The line that shows the last answer. */
export const answer = () =>
  said.value ? html`<div class=${said.value.bad ? "said bad" : "said"}>${said.value.text}</div>` : nothing;
