// Addresses: which view they name, and what stands in the query string.
import { signal } from "../vendor.js";

const VIEWS = ["matches", "symbol", "traders", "trader", "signals", "notices", "flags", "debug"];

/** Path and query of the page's address: {view, name, query}. */
export const route = signal(parsed());

function parsed() {
  const [, first = "", ...rest] = location.pathname.split("/");
  const query = new URLSearchParams(location.search);
  let name = "";
  try {
    name = decodeURIComponent(rest.join("/"));
  } catch {
    name = rest.join("/"); // a single % in an address typed by hand
  }
  if (first === "") return { view: "overview", name: "", query };
  if (first === "traders" && name) return { view: "trader", name, query };
  if (!VIEWS.includes(first) || first === "trader" || (first === "symbol" && !name)) {
    return { view: "unknown", name: "", query };
  }
  return { view: first, name, query };
}

/** The address of a symbol, a trader or a flag. */
export const symbolAddress = (name) => `/symbol/${encodeURIComponent(name)}`;
export const traderAddress = (name) => `/traders/${encodeURIComponent(name)}`;
export const flagAddress = (name) => `/flags/${encodeURIComponent(name)}`;

/** Open an address of this page without loading it anew. */
export function go(address) {
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  route.value = parsed();
  window.scrollTo(0, 0);
}

/** Change fields of the query string in place; an empty one goes. */
export function setQuery(fields) {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(fields)) {
    if (value === "" || value === null || value === undefined) query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
  route.value = parsed();
}

window.addEventListener("popstate", () => {
  route.value = parsed();
});

/** Links within the page are opened by it, unless another tab is asked for. */
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.hash || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (/^\/(static|api|login)/.test(link.pathname)) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
