// Thousands of rows of one height, of which only those in sight are in the document.
//
// The order stands still while the pointer, a finger or the keyboard is on the rows, and for some seconds after a touch:
// those in sight keep their places and get new values; the newest order comes when all are gone. Rows are plain objects;
// `key` tells which is which.

import { PointerHold } from "./parts/pointer_hold.js";

const MARGIN = 12; // rows made above and below those in sight
const STEP = 8; // a window begins at a multiple of it, so that few are asked for
const PHONE = matchMedia("(max-width: 640px)");
let instances = 0;

export class Rows {
  /**
   * columns: {key, label, title, width, end, text(row), link(row), look(row), value(row), phone, sort}
   * ask(first, count): another window is in sight. sorted(key, more): a heading was chosen. held(changes): the order
   * stands still and so many places are waiting, or null. look(row): classes of the row.
   */
  constructor({ label, columns, key, address, look, ask, sorted, held, figures, empty, height = 30 }) {
    this.key = key;
    this.address = address ?? (() => "");
    this.look = look ?? (() => "");
    this.ask = ask ?? (() => {});
    this.sorted = sorted;
    this.held = held ?? (() => {});
    this.figures = figures;
    this.empty = empty ?? "Nothing here yet.";
    this.height = height;
    this.id = `rows${++instances}`;
    this.all = columns;
    this.order = [];
    this.places = new Map(); // index to row
    this.pending = null;
    this.total = 0;
    this.known = false;
    this.active = -1;
    this.pool = new Map();
    this.window = [-1, -1];
    this.element = made("div", "rows");
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "grid");
    this.element.setAttribute("aria-label", label);
    this.head = this.element.appendChild(made("div", "rows-head"));
    this.head.setAttribute("role", "row");
    this.body = this.element.appendChild(made("div", "rows-body"));
    this.body.setAttribute("role", "rowgroup");
    this.note = this.element.appendChild(made("div", "rows-empty"));
    this.columnsChanged = () => this.setColumns(this.all);
    this.listen();
    this.setColumns(columns);
  }

  listen() {
    const here = this.element;
    here.addEventListener("scroll", () => this.draw(), { passive: true });
    this.grip = new PointerHold(this.body, () => this.hold(), () => this.release());
    here.addEventListener("keydown", (event) => this.typed(event));
    here.addEventListener("blur", () => {
      this.active = -1;
      this.draw();
      this.release();
    });
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(here);
    PHONE.addEventListener("change", this.columnsChanged);
  }

  /** To be called when the view goes. */
  close() {
    this.grip.close();
    this.watch.disconnect();
    PHONE.removeEventListener("change", this.columnsChanged);
  }

  /** Whether the order stands still. */
  get holding() {
    return this.grip.holding || this.active >= 0;
  }

  setColumns(columns) {
    this.all = columns;
    this.columns = PHONE.matches ? columns.filter((column) => column.phone) : columns;
    const widths = this.columns.map((column) => (PHONE.matches ? (column.phone === true ? column.width : column.phone) : column.width));
    this.element.style.setProperty("--columns", widths.join(" "));
    this.head.replaceChildren(...this.columns.map((column) => this.heading(column)));
    this.pool.clear();
    this.body.replaceChildren();
    this.setOrder(this.order);
    this.draw();
  }

  heading(column) {
    const cell = made("div", column.end ? "cell end" : "cell");
    cell.setAttribute("role", "columnheader");
    if (!this.sorted || column.sort === false) {
      cell.textContent = column.label;
    } else {
      const button = cell.appendChild(made("button", "heading"));
      button.textContent = column.label;
      button.addEventListener("click", (event) => this.sorted(column.key, event.shiftKey));
    }
    cell.title = column.title ?? "";
    return cell;
  }

  /** Show by which columns the rows are sorted: [[key, "asc" | "desc"], ...]. */
  setOrder(order) {
    this.order = order;
    [...this.head.children].forEach((cell, index) => {
      const place = order.findIndex(([key]) => key === this.columns[index].key);
      if (place < 0) {
        cell.removeAttribute("aria-sort");
        delete cell.dataset.sort;
        return;
      }
      cell.setAttribute("aria-sort", order[place][1] === "asc" ? "ascending" : "descending");
      cell.dataset.sort = (order[place][1] === "asc" ? "↑" : "↓") + (order.length > 1 ? place + 1 : "");
    });
  }

  /** Take the rows that stand from `first` on, of `total`. */
  take(first, total, rows) {
    this.known = true;
    this.total = total;
    if (!this.holding) {
      this.pending = null;
      this.held(null);
      this.settle(first, rows);
    } else {
      this.pending = { first, rows };
      this.keep(first, rows);
    }
    this.draw();
  }

  /** Another list: forget the rows and begin at the top. */
  restart() {
    this.places.clear();
    this.pending = null;
    this.active = -1;
    this.element.scrollTop = 0;
    this.draw();
  }

  settle(first, rows) {
    this.places = new Map(rows.map((row, index) => [first + index, row]));
  }

  /** New values for the rows in their places; rows that came into sight have the newest order. */
  keep(first, rows) {
    const fresh = new Map(rows.map((row) => [this.key(row), row]));
    const [from, to] = this.inSight();
    let waiting = 0;
    const places = new Map();
    for (let index = from; index < to; index += 1) {
      const before = this.places.get(index);
      const newest = rows[index - first];
      if (before === undefined) {
        if (newest) places.set(index, newest);
        continue;
      }
      const key = this.key(before);
      if (!newest || this.key(newest) !== key) waiting += 1;
      places.set(index, fresh.get(key) ?? { ...before, moved: true });
    }
    this.places = places;
    this.held(waiting);
  }

  hold() {
    this.held(0);
  }

  release() {
    if (this.holding) return;
    this.held(null);
    if (!this.pending) return;
    this.settle(this.pending.first, this.pending.rows);
    this.pending = null;
    this.draw();
  }

  /** First index in sight and the one after the last, with the margin. */
  inSight() {
    const room = this.element.clientHeight || 600;
    const first = Math.max(0, Math.floor(this.element.scrollTop / this.height) - MARGIN);
    return [first, Math.max(first, Math.min(this.total, first + Math.ceil(room / this.height) + 2 * MARGIN))];
  }

  draw() {
    this.body.style.height = `${this.total * this.height}px`;
    this.element.setAttribute("aria-rowcount", this.total);
    this.note.textContent = this.total === 0 && this.known ? this.empty : "";
    const [from, to] = this.inSight();
    const spare = [];
    for (const [index, row] of this.pool) {
      if (index < from || index >= to) {
        spare.push(row);
        this.pool.delete(index);
      }
    }
    for (let index = from; index < to; index += 1) {
      let row = this.pool.get(index);
      if (!row) {
        row = spare.pop() ?? this.body.appendChild(this.madeRow());
        this.pool.set(index, row);
      }
      this.fill(row, index);
    }
    for (const row of spare) row.remove();
    if (this.active >= 0) this.element.setAttribute("aria-activedescendant", `${this.id}-${this.active}`);
    else this.element.removeAttribute("aria-activedescendant");
    this.askFor(from, to);
  }

  askFor(from, to) {
    const first = Math.floor(from / STEP) * STEP;
    const count = Math.ceil((Math.max(to, from + Math.ceil((this.element.clientHeight || 600) / this.height) + MARGIN) - first) / STEP) * STEP;
    if (first === this.window[0] && count === this.window[1]) return;
    this.window = [first, count];
    this.ask(first, count);
  }

  madeRow() {
    const row = made("div", "row");
    row.setAttribute("role", "row");
    row.cells = this.columns.map((column) => {
      const cell = row.appendChild(made("div", column.end ? "cell end" : "cell"));
      cell.setAttribute("role", "gridcell");
      if (column.link) {
        cell.inside = cell.appendChild(document.createElement("a"));
        cell.inside.tabIndex = -1;
      } else {
        cell.inside = cell;
      }
      return cell;
    });
    return row;
  }

  fill(row, index) {
    const data = this.places.get(index);
    put(row, "top", index, () => {
      row.style.transform = `translateY(${index * this.height}px)`;
      row.id = `${this.id}-${index}`;
      row.setAttribute("aria-rowindex", index + 1);
    });
    const classes = data ? `row ${this.look(data)}${data.moved ? " moved" : ""}${index === this.active ? " active" : ""}` : "row empty";
    put(row, "classes", classes, () => (row.className = classes));
    this.columns.forEach((column, place) => {
      const cell = row.cells[place];
      const text = data ? column.text(data) : "";
      put(cell, "text", text, () => (cell.inside.textContent = text));
      if (!data) return;
      if (column.link) {
        const address = column.link(data);
        put(cell, "address", address, () => (cell.inside.href = address));
      }
      if (column.look) {
        const look = `cell ${column.end ? "end " : ""}${column.look(data)}`;
        put(cell, "looks", look, () => (cell.className = look));
      }
      if (column.tip) {
        const tip = column.tip(data);
        put(cell, "tip", tip, () => (cell.title = tip));
      }
      if (this.figures && column.value) {
        const figure = `${this.figures(data)}.${column.key}`;
        put(cell, "figure", figure, () => (cell.dataset.figure = figure));
        const value = column.value(data);
        put(cell, "plain", value, () => (cell.dataset.value = value === null || Number.isNaN(value) ? "" : value));
      }
    });
  }

  typed(event) {
    if (event.target !== this.element) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.total, End: this.total };
    if (event.key === "Enter" && this.places.has(this.active)) {
      const address = this.address(this.places.get(this.active));
      if (address) this.body.querySelector(`#${this.id}-${this.active} a`)?.click();
    } else if (event.key === "Escape" && this.active >= 0) {
      this.active = -1;
      this.release();
      this.draw();
    } else if (event.key in steps && this.total > 0) {
      event.preventDefault();
      const start = this.active < 0 && steps[event.key] === 1 ? -1 : Math.max(this.active, 0);
      this.active = Math.min(this.total - 1, Math.max(0, start + steps[event.key]));
      this.hold();
      this.reveal(this.active);
      this.draw();
    }
  }

  reveal(index) {
    const top = index * this.height;
    const room = this.element.clientHeight - this.head.offsetHeight;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + this.height > this.element.scrollTop + room) this.element.scrollTop = top + this.height - room;
  }
}

function made(tag, className) {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}

/** Touch the document only where something changed. */
function put(element, name, value, change) {
  const kept = (element.kept ??= {});
  if (Object.is(kept[name], value)) return;
  kept[name] = value;
  change();
}
