// The WebSocket to the engine: subscriptions, commands, and connecting again.
//
// A subscription outlives the connection: after a loss everything is subscribed anew. What arrives within a frame of
// the screen is handed on together, and only the latest of each subscription, so a burst costs one drawing.
import { batch, signal } from "./vendor.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const HIDDEN_MS = 60_000; // a page that nobody sees asks for nothing
const UNDRAWN_MS = 1_000; // a hidden page draws no frames; what arrived is handed on all the same
const decoder = new TextDecoder();

/** "connecting", "open", "lost" or "asleep". */
export const state = signal("connecting");
/** What the server said first: version, instance, writable, readable, monitoring. Null before. */
export const hello = signal(null);
/** Time (ms, of this machine) of the next attempt; 0 where none is due. */
export const retryAt = signal(0);
/** Time (ms, of this machine) of the last frame. */
export const heardAt = signal(0);

let socket = null;
let attempts = 0;
let retry = 0;
let hidden = 0;
let next = 1;
const subscriptions = new Map();
const commands = new Map();
const slots = new Map();
let flushing = false;

/**
 * Follow a topic. `take(data, columns, rows)` gets whole data each time; `refuse(text)` why there is none.
 * Gives an object with `change(arguments)`, for another window of the same topic, and `end()`.
 */
export function subscribe(topic, args, take, refuse = () => {}) {
  const id = next++;
  subscriptions.set(id, { topic, args, take, refuse });
  send({ op: "subscribe", id, topic, arguments: args });
  return {
    change(changed) {
      const one = subscriptions.get(id);
      if (!one || JSON.stringify(one.args) === JSON.stringify(changed)) return;
      one.args = changed;
      send({ op: "subscribe", id, topic, arguments: changed });
    },
    end() {
      if (subscriptions.delete(id)) send({ op: "unsubscribe", id });
      slots.delete(id);
    },
  };
}

/** The topic's data once. Rejects with the server's words. */
export function once(topic, args) {
  return new Promise((resolve, reject) => {
    const end = () => queueMicrotask(() => one.end());
    const one = subscribe(
      topic,
      args,
      (data, columns, rows) => (resolve({ data, columns, rows }), end()),
      (text) => (reject(new Error(text)), end()),
    );
  });
}

/** Do `what` with `args`. Rejects with the server's words, or with what hinders. */
export function act(what, args = {}) {
  return new Promise((resolve, reject) => {
    if (state.value !== "open") return reject(new Error("There is no connection to the engine."));
    const id = next++;
    commands.set(id, { resolve, reject });
    send({ op: "do", id, what, arguments: args });
  });
}

/** Connect now, without waiting any longer. */
export function connect() {
  clearTimeout(retry);
  retryAt.value = 0;
  if (socket) return;
  if (state.value !== "lost") state.value = "connecting";
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  mine.binaryType = "arraybuffer";
  socket = mine;
  mine.onopen = () => {
    attempts = 0;
    heardAt.value = Date.now();
    state.value = "open";
    for (const [id, one] of subscriptions) send({ op: "subscribe", id, topic: one.topic, arguments: one.args });
  };
  mine.onmessage = (event) => receive(event.data);
  mine.onclose = () => {
    if (socket === mine) lose();
  };
}

function lose() {
  socket = null;
  for (const { reject } of commands.values()) reject(new Error("The connection was lost before the answer came."));
  commands.clear();
  slots.clear();
  if (document.hidden && hidden === -1) {
    state.value = "asleep";
    return;
  }
  state.value = "lost";
  const wait = Math.min(FIRST_WAIT_MS * 2 ** attempts, LONGEST_WAIT_MS) * (0.75 + Math.random() / 2);
  attempts += 1;
  retryAt.value = Date.now() + wait;
  retry = setTimeout(connect, wait);
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function receive(frame) {
  const message = typeof frame === "string" ? JSON.parse(frame) : unpacked(frame);
  if (message.op === "hello") {
    heardAt.value = Date.now();
    hello.value = message;
  } else if (message.op === "done" || (message.op === "error" && commands.has(message.id))) {
    const command = commands.get(message.id);
    commands.delete(message.id);
    if (message.op === "done") command?.resolve(message.result);
    else command.reject(new Error(message.error));
  } else if (subscriptions.has(message.id)) {
    slots.set(message.id, message);
    if (flushing) return;
    flushing = true;
    if (document.hidden) setTimeout(flush, UNDRAWN_MS);
    else requestAnimationFrame(flush);
  }
}

function flush() {
  flushing = false;
  const arrived = [...slots];
  slots.clear();
  batch(() => {
    heardAt.value = Date.now();
    for (const [id, message] of arrived) {
      const one = subscriptions.get(id);
      if (message.op === "error") one?.refuse(message.error);
      else one?.take(message.data, message.columns, message.rows);
    }
  });
}

/** A binary frame: the length of a JSON header, the header, then the columns of numbers, each beginning at 8 bytes. */
function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
  let at = Math.ceil((4 + length) / 8) * 8;
  const columns = {};
  for (const { name, type } of header.columns) {
    if (type === "text") {
      columns[name] = header.text[name];
    } else {
      columns[name] = new Float64Array(buffer, at, header.rows);
      at += header.rows * 8;
    }
  }
  return { op: "data", id: header.id, data: header.data, columns, rows: header.rows };
}

function sleep() {
  hidden = -1;
  socket?.close();
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.hidden) {
    hidden = setTimeout(sleep, HIDDEN_MS);
    return;
  }
  hidden = 0;
  if (flushing) requestAnimationFrame(flush); // the frame asked for before may have come and gone
  if (!socket) connect();
});
window.addEventListener("online", connect);
