// What the chart needs to compute: no page is touched here. Times are UTC ms, places are in the units of the drawing.
"use strict";
const S = 1000, M = 60 * S, H = 60 * M, DAY = 24 * H;
const TIME_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, S, 2 * S, 5 * S, 10 * S, 30 * S, M, 2 * M, 5 * M, 10 * M, 30 * M, H, 2 * H, 4 * H, 6 * H, 12 * H, DAY];
const SHORTEST_MS = 100; // of a view

const pad = (number, width = 2) => String(number).padStart(width, "0");

function clock(ms) {
  const date = new Date(ms);
  return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}.${pad(date.getUTCMilliseconds(), 3)}`;
}

function day(ms) {
  const date = new Date(ms);
  return `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
}

const moment = ms => `${day(ms)} ${clock(ms)}`;

// The shortest step of 1, 2 or 5 times a power of ten, or of `steps`, that fits at most `wanted` times into the span.
function niceStep(span, wanted, steps) {
  if (steps) return steps.find(step => span / step <= wanted) || DAY * Math.ceil(span / wanted / DAY);
  const power = 10 ** Math.floor(Math.log10(span / wanted));
  return power * [1, 2, 5, 10].find(factor => span / (power * factor) <= wanted);
}

// The multiples of `step` from `start` to `end`. Each is computed anew: sums of fractions would drift.
function multiples(start, end, step) {
  const found = [];
  for (let number = Math.ceil(start / step); number * step <= end; number++) found.push(number * step);
  return found;
}

function timeLabel(ms, step) {
  if (step >= DAY) return day(ms);
  if (ms % DAY === 0) return day(ms).slice(5);
  return clock(ms).slice(0, step >= M ? 5 : step >= S ? 8 : 12);
}

// A view within the whole, [start, end] both, moved by `by` ms.
function moved([start, end], by, [first, last]) {
  const shift = Math.min(Math.max(by, first - start), last - end);
  return [start + shift, end + shift];
}

// A view `factor` times as long, in which the moment `at` keeps its place.
function zoomed([start, end], at, factor, [first, last]) {
  const span = Math.min(Math.max((end - start) * factor, SHORTEST_MS), last - first);
  const begin = at - (at - start) / (end - start) * span;
  return moved([begin, begin + span], 0, [first, last]);
}

// Groups of points [x, y, ...] so that no two groups lie closer than `apart`: {x, y, points}. x and y are the means.
function clustered(points, apart) {
  const groups = [];
  for (const point of [...points].sort((one, other) => one[0] - other[0])) {
    let group = {x: point[0], y: point[1], points: [point]};
    while (groups.length && group.x - groups[groups.length - 1].x < apart) {
      const before = groups.pop(), n = before.points.length, m = group.points.length;
      const mean = key => (before[key] * n + group[key] * m) / (n + m);
      before.points.push(...group.points);
      group = {x: mean("x"), y: mean("y"), points: before.points};
    }
    groups.push(group);
  }
  return groups;
}

// Spans [from, to], in the order of `from`, with those joined that overlap or lie closer than `gap`.
function joined(spans, gap) {
  const found = [];
  for (const [from, to] of spans) {
    const last = found[found.length - 1];
    if (last && from - last[1] < gap) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}
