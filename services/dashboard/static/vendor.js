// The libraries of the page in one place, so that a new version is named here only.
export { html, nothing, render, svg } from "./vendor/lit-html-3.3.3/lit-html.js";
export { repeat } from "./vendor/lit-html-3.3.3/directives/repeat.js";
export { batch, computed, effect, signal, untracked } from "./vendor/signals-core-1.14.5/signals-core.mjs";

/** The charts are loaded by the views that draw some. */
export const loadPlots = async () => (await import("./vendor/uplot-1.6.32/uPlot.esm.js")).default;
export const loadCandles = () =>
  import("./vendor/lightweight-charts-5.2.1/lightweight-charts.standalone.production.mjs");
