// What everybody needs of a page, asked of the page itself: each gives the places where it fails.
(() => {
  const seen = (element) => element.checkVisibility({ visibilityProperty: true });
  /** What a function gives for an element, once for each. */
  const once = (given) => {
    const known = new Map();
    return (element) => (known.has(element) ? known : known.set(element, given(element))).get(element);
  };
  const clipped = once((element) => element !== null && (getComputedStyle(element).clipPath !== "none" || clipped(element.parentElement)));
  const named = (element) => `${element.tagName.toLowerCase()}.${element.className} "${(element.textContent || element.getAttribute("aria-label") || "").trim().slice(0, 40)}"`;
  const all = (selector) => [...document.querySelectorAll(selector)].filter((element) => seen(element) && !element.matches(".skip, .skip *") && !clipped(element));
  const CONTROLS = "a[href], button, input, select, summary";

  const parsed = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
    return { rgb: [red, green, blue], alpha };
  };
  const over = (top, ground) => top.rgb.map((part, place) => part * top.alpha + ground[place] * (1 - top.alpha));
  const ground = once((element) => {
    if (!element) return [255, 255, 255];
    const own = parsed(getComputedStyle(element).backgroundColor);
    return own.alpha === 1 ? own.rgb : over(own, ground(element.parentElement));
  });
  const light = (rgb) => {
    const [red, green, blue] = rgb.map((part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (text, behind) => {
    const [dark, bright] = [light(text), light(behind)].sort((one, other) => one - other);
    return (bright + 0.05) / (dark + 0.05);
  };

  return {
    /** WCAG AA: text has 4.5 to its ground, large text 3. */
    pale() {
      const found = [];
      const check = (element, style) => {
        const behind = ground(element);
        const size = Number.parseFloat(style.fontSize);
        const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
        const given = contrast(over(parsed(style.color), behind), behind);
        if (given < least) found.push(`${named(element)}: ${given.toFixed(2)}`);
      };
      for (const element of all("body *")) {
        if (element.matches(":disabled, :disabled *, option, svg *")) continue;
        if (element.placeholder) check(element, getComputedStyle(element, "::placeholder"));
        if ([...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())) check(element, getComputedStyle(element));
      }
      return found;
    },

    /** Nothing to read or to press lies beside the window, but in what can be scrolled sideways. */
    beside() {
      const scrolls = (element) => element && element !== document.body && element.id !== "view" && (element.scrollWidth > element.clientWidth && ["auto", "scroll"].includes(getComputedStyle(element).overflowX) ? true : scrolls(element.parentElement));
      return all(`${CONTROLS}, main th, main td, main dt, main dd, main p, main h1, main h2`)
        .filter((element) => {
          const { left, right } = element.getBoundingClientRect();
          return (left < -0.5 || right > document.documentElement.clientWidth + 0.5) && !scrolls(element.parentElement);
        })
        .map(named);
    },

    /** What a finger presses has 24 pixels in height. */
    small: () => all("button, input:not([type=checkbox], [type=range]), select, summary").filter((element) => element.getBoundingClientRect().height < 23.5).map(named),

    /** What is pressed has a name that can be read out. */
    nameless: () =>
      all(CONTROLS)
        .filter((element) => !element.textContent.trim() && !element.getAttribute("aria-label") && !element.title && !element.closest("label") && !element.placeholder)
        .map(named),

    /** How many elements the keyboard should come to. */
    stops: () => all(`${CONTROLS}, [tabindex]`).filter((element) => element.tabIndex >= 0 && !element.disabled && element.id !== "view").length,
  };
})()
