// Light or dark: as the system has it, or as chosen here. Runs before the first drawing, so nothing flashes.
"use strict";
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("tickflag.theme");
  } catch {
    // forbidden here
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
