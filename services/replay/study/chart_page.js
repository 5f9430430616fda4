// Draws the chosen symbol's price and the chosen trader's matches, and follows wheel, mouse and keys.
const data = JSON.parse(document.getElementById("data").textContent);
const [traderBox, symbolBox, chart, note] = ["trader", "symbol", "chart", "note"].map(id => document.getElementById(id));
const LEFT = 78, RIGHT = 1054, TOP = 12, BOTTOM = 424, WIDTH = 1100; // RIGHT leaves room for half a label
const APART = 24; // between two marks
const LISTED = 8; // events in the text of a group
const marksOf = (symbol, trader) => symbol.marks[trader] || [];
let whole = [0, 1], view = [0, 1], frame = 0;

function draw(parent, name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function option(box, value, text) {
  const element = document.createElement("option");
  element.value = value;
  element.textContent = text;
  box.append(element);
}

// [time, price, whether it entered, text] for each mark's ends that have a price.
function eventsOf(marks) {
  const events = [];
  for (const [entered, price, left, leftPrice, standing] of marks) {
    if (price !== null)
      events.push([entered, price, true, `${standing ? "matched already at" : "entered"} ${moment(entered)}, price ${price}`]);
    if (left !== null && leftPrice !== null) {
      const change = price === null ? "" : `, ${((leftPrice / price - 1) * 100).toFixed(3)} % since it entered`;
      events.push([left, leftPrice, false, `left ${moment(left)}, price ${leftPrice}${change}`]);
    }
  }
  return events;
}

function drawMark(group, marks) {
  const {x, y, points} = group, entered = points.filter(point => point[2]).length;
  const kind = entered === points.length ? "in" : entered ? "both" : "out";
  if (points.length === 1) {
    const shape = entered ? `M${x} ${y - 1}l6 11h-12z` : `M${x} ${y + 1}l6 -11h-12z`;
    draw(draw(marks, "path", {class: kind, d: shape}), "title", {}, points[0][3]);
    return;
  }
  const part = draw(marks, "g", {class: `group ${kind}`});
  draw(part, "circle", {cx: x, cy: y, r: 11});
  draw(part, "text", {x, y: y + 4, "text-anchor": "middle"}, points.length > 999 ? "1k+" : points.length);
  const texts = points.slice(0, LISTED).map(point => point[3]);
  if (points.length > LISTED) texts.push(`and ${points.length - LISTED} more`);
  draw(part, "title", {}, `${entered} entered, ${points.length - entered} left; click to zoom in\n${texts.join("\n")}`);
  const times = points.map(point => point[4]), from = Math.min(...times), to = Math.max(...times);
  part.addEventListener("click", () => look(zoomed(view, (from + to) / 2, Math.max((to - from) * 1.6, 1) / (view[1] - view[0]), whole)));
}

function show() {
  frame = 0;
  chart.replaceChildren();
  const symbol = data.symbols[symbolBox.value];
  if (!symbol) return;
  const [start, end] = view, marks = marksOf(symbol, traderBox.value);
  const events = eventsOf(marks).filter(([ms]) => ms >= start && ms <= end);
  const shown = symbol.t.map((ms, i) => i).filter(i => symbol.t[i] <= end && (i + 1 === symbol.t.length || symbol.t[i + 1] >= start));
  const values = [...shown.map(i => symbol.p[i]), ...events.map(event => event[1])];
  let low = values.reduce((one, other) => Math.min(one, other), Infinity), high = values.reduce((one, other) => Math.max(one, other), -Infinity);
  if (!values.length) low = high = 1;
  const room = (high - low) * 0.08 || Math.abs(high) * 0.01 || 1;
  low -= room; high += room;
  const x = ms => LEFT + (ms - start) / (end - start) * (RIGHT - LEFT);
  const y = price => BOTTOM - (price - low) / (high - low) * (BOTTOM - TOP);

  draw(draw(chart, "clipPath", {id: "inside"}), "rect", {x: LEFT, y: 0, width: RIGHT - LEFT, height: BOTTOM});
  const priceStep = niceStep(high - low, 7), digits = Math.max(0, -Math.floor(Math.log10(priceStep)));
  for (const price of multiples(low, high, priceStep)) {
    draw(chart, "line", {class: "grid", x1: LEFT, x2: RIGHT, y1: y(price), y2: y(price)});
    draw(chart, "text", {x: LEFT - 8, y: y(price) + 4, "text-anchor": "end"}, price.toFixed(digits));
  }
  const timeStep = niceStep(end - start, 10, TIME_STEPS);
  for (const ms of multiples(start, end, timeStep)) {
    draw(chart, "line", {class: "grid", x1: x(ms), x2: x(ms), y1: TOP, y2: BOTTOM});
    draw(chart, "text", {x: x(ms), y: BOTTOM + 20, "text-anchor": "middle"}, timeLabel(ms, timeStep));
  }
  const inside = draw(chart, "g", {"clip-path": "url(#inside)"});
  const spans = marks.filter(mark => mark[0] <= end && (mark[2] ?? data.end) >= start)
    .map(mark => [x(Math.max(mark[0], start)), x(Math.min(mark[2] ?? data.end, end))]);
  for (const [from, to] of joined(spans, 0.5)) {
    draw(inside, "rect", {class: "span", x: from, y: TOP, width: Math.max(to - from, 1), height: BOTTOM - TOP});
  }
  const points = shown.map(i => [x(symbol.t[i]).toFixed(1), y(symbol.p[i]).toFixed(1)]);
  const path = points.map(([across, up], i) => i ? `H${across}V${up}` : `M${across} ${up}`).join("");
  if (path) draw(inside, "path", {class: "line", d: `${path}H${x(Math.min(end, data.end)).toFixed(1)}`});
  const placed = events.map(([ms, price, entered, text]) => [x(ms), y(price), entered, text, ms]);
  for (const group of clustered(placed, APART)) drawMark(group, chart);
  const standing = marks.filter(mark => mark[4]).length, open = marks.filter(mark => mark[2] === null).length;
  note.textContent = `${marks.length} entries` + (standing ? `, ${standing} of them from before` : "")
    + (open ? `, ${open} still matching` : "") + `. Shown: ${moment(start)} to ${moment(end)}.`
    + (data.left_out ? ` Symbols with fewer entries that are not on this page: ${data.left_out}.` : "");
}

function look(next) {
  view = next;
  frame = frame || requestAnimationFrame(show);
}

function lookAtAll() {
  const symbol = data.symbols[symbolBox.value];
  if (!symbol) return;
  const start = marksOf(symbol, traderBox.value).reduce((first, mark) => Math.min(first, mark[0]), symbol.t[0] ?? data.end);
  whole = [start, Math.max(data.end, start + SHORTEST_MS)];
  look(whole);
}

function listSymbols() {
  const before = symbolBox.value;
  symbolBox.replaceChildren();
  data.symbols.map((symbol, i) => [marksOf(symbol, traderBox.value).length, i])
    .filter(([count]) => count).sort((one, other) => other[0] - one[0] || one[1] - other[1])
    .forEach(([count, i]) => option(symbolBox, i, `${data.symbols[i].name} (${count})`));
  if ([...symbolBox.options].some(one => one.value === before)) symbolBox.value = before;
  lookAtAll();
}

const zoom = (factor, at = (view[0] + view[1]) / 2) => look(zoomed(view, at, factor, whole));
const move = share => look(moved(view, share * (view[1] - view[0]), whole));
const scale = () => WIDTH / chart.getBoundingClientRect().width; // units of the drawing a pixel
function timeAt(event) {
  const across = (event.clientX - chart.getBoundingClientRect().left) * scale();
  return view[0] + Math.min(Math.max((across - LEFT) / (RIGHT - LEFT), 0), 1) * (view[1] - view[0]);
}

chart.addEventListener("wheel", event => {
  event.preventDefault();
  zoom(2 ** (Math.sign(event.deltaY) / 2), timeAt(event));
}, {passive: false});

chart.addEventListener("pointerdown", event => {
  if (event.button) return;
  let last = event.clientX;
  const drag = next => {
    look(moved(view, (last - next.clientX) * scale() / (RIGHT - LEFT) * (view[1] - view[0]), whole));
    last = next.clientX;
  };
  const stop = () => {
    removeEventListener("pointermove", drag);
    ["pointerup", "pointercancel"].forEach(name => removeEventListener(name, stop));
  };
  addEventListener("pointermove", drag);
  ["pointerup", "pointercancel"].forEach(name => addEventListener(name, stop));
});
chart.addEventListener("dblclick", lookAtAll);

const KEYS = {
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": lookAtAll, Home: lookAtAll,
  ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2),
};
chart.addEventListener("keydown", event => {
  const act = event.ctrlKey || event.metaKey || event.altKey ? null : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
for (const [id, act] of [["closer", () => zoom(0.5)], ["wider", () => zoom(2)], ["all", lookAtAll]])
  document.getElementById(id).addEventListener("click", act);

data.traders.forEach((name, i) => {
  if (data.symbols.some(symbol => marksOf(symbol, i).length)) option(traderBox, i, name);
});
traderBox.addEventListener("change", listSymbols);
symbolBox.addEventListener("change", lookAtAll);
if (data.symbols.length) listSymbols();
else note.textContent = "No symbol entered the matches of a trader.";
