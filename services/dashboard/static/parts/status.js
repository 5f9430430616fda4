// The overview of the engine, which header, overlay and foot show on every view: one subscription for all of them.
import { subscribe } from "../connection.js";
import { signal } from "../vendor.js";

/** The topic `overview`; null before the first data. */
export const overview = signal(null);
/** Why there is none. */
export const refusal = signal("");

subscribe(
  "overview",
  {},
  (data) => {
    refusal.value = "";
    overview.value = data;
  },
  (text) => (refusal.value = text),
);
