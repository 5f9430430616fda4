// What this browser remembers. A browser that forbids it only forgets.
import { signal } from "../vendor.js";

/** A signal whose value outlives the page. */
export function remembered(name, start) {
  const key = `tickflag.${name}`;
  const kept = signal(read(key, start));
  kept.subscribe((value) => {
    try {
      if (value === start) localStorage.removeItem(key);
      else localStorage.setItem(key, typeof value === "string" ? value : JSON.stringify(value));
    } catch {
      // full or forbidden
    }
  });
  return kept;
}

function read(key, start) {
  try {
    const text = localStorage.getItem(key);
    if (text === null) return start;
    return typeof start === "string" ? text : JSON.parse(text);
  } catch {
    return start;
  }
}
