// Whether somebody has a hand on an element: the mouse over it, a finger on it or there just now, or the keyboard on
// something in it.

const TOUCHED_MS = 3_000; // after the last touch, for the finger to come back
const ENDS = ["touchend", "touchcancel"];

export class PointerHold {
  /** `hold()` when a hand comes, `release()` when one goes; `holding` says whether another one is still there. */
  constructor(element, hold, release) {
    this.element = element;
    this.hold = hold;
    this.release = release;
    this.over = false;
    this.touched = false;
    this.timer = 0;
    element.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "touch") return; // scrolling ends a finger's pointer, though not its touch
      this.over = true;
      hold();
    });
    element.addEventListener("pointerleave", () => {
      this.over = false;
      release();
    });
    element.addEventListener("touchstart", (event) => this.touch(event.target), { passive: true });
    element.addEventListener("focusin", () => this.holding && hold());
    element.addEventListener("focusout", () => release());
  }

  get holding() {
    return this.over || this.touched || this.element.querySelector(":focus-visible") !== null;
  }

  /** The place touched hears of the end, also where it has left the document. */
  touch(place) {
    clearTimeout(this.timer);
    this.touched = true;
    this.hold();
    const end = (event) => {
      if (event.touches.length) return;
      for (const name of ENDS) place.removeEventListener(name, end);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.touched = false;
        this.release();
      }, TOUCHED_MS);
    };
    for (const name of ENDS) place.addEventListener(name, end, { passive: true });
  }

  close() {
    clearTimeout(this.timer);
  }
}
