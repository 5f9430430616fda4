"""The page in a real Chromium: the first view, a burst of the whole market, and scrolling through all matches."""

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.site import Site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SYMBOLS = 5_000
RATE = 2_000
LONG_MS = 50.0
REPEATS = 5
LIMIT_S = 60.0

WATCH = """
window.bench = { first: 0, tasks: [] };
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.bench.tasks.push([task.startTime, task.duration]);
}).observe({ type: "longtask", buffered: true });
const look = () => {
  const figure = document.querySelector('main [data-figure]:not([data-value=""])');
  if (figure && document.querySelector("[data-standing=live]")) window.bench.first = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
"""Runs before the page's own scripts. A long task is one of over 50 ms, by the browser's definition."""

SCROLL = """
(seconds) => new Promise((done) => {
  const rows = document.querySelector(".rows");
  const began = performance.now();
  let frames = 0;
  const step = (now) => {
    const part = Math.min(1, (now - began) / (seconds * 1000));
    rows.scrollTop = part * (rows.scrollHeight - rows.clientHeight);
    frames += 1;
    if (part < 1) requestAnimationFrame(step);
    else done(frames / seconds);
  };
  requestAnimationFrame(step);
})
"""


def run(found: SectionReport, options: Options) -> None:
    """Add the measurements of the page; only their reason where there is no Chromium."""
    from tests.support.harnesses import browser as real

    if real.CHROMIUM is None:
        found.at_most("the page in a browser", None, LONG_MS, "ms", "chromium is missing")
        return
    symbols, repeats = (500, 1) if options.quick else (SYMBOLS, REPEATS)
    with running_site(symbols, RATE, ["every"], moving=True) as site, real.chromium() as browser:
        _Page(found, site, browser, symbols, repeats, 1.0 if options.quick else 4.0).run()


class _Page:
    def __init__(
        self, found: SectionReport, site: Site, browser: "Browser", symbols: int, repeats: int, seconds: float
    ) -> None:
        self._found, self._site, self._browser = found, site, browser
        self._symbols, self._repeats, self._seconds = symbols, repeats, seconds
        self._views = {
            "overview": "/",
            "matches": "/matches",
            "symbol": f"/symbol/{quote(site.symbol(), safe='')}",
            "signals": "/signals",
        }

    def run(self) -> None:
        rows: list[list[Any]] = []
        for name, address in self._views.items():
            firsts = [self._first(address) for _ in range(self._repeats)]
            bursts = self._tasks(address, lambda page: self._burst(page))
            first, task = statistics.median(firsts), statistics.median(bursts)
            rows.append([name, first, max(firsts), task, max(bursts)])
            self._found.at_most(f"{name}: from the navigation to live data", first, 1_000.0, "ms")
            self._found.at_most(f"{name}: longest task in a burst of {self._symbols:,} symbols", task, LONG_MS, "ms")
        rates: list[float] = []
        scrolls = self._tasks("/matches", lambda page: rates.append(page.evaluate(SCROLL, self._seconds)))
        name = f"longest task while all {self._symbols:,} matches scroll by in {self._seconds:g} s"
        note = f"{statistics.median(rates):.0f} frames a second"
        self._found.at_most(name, statistics.median(scrolls), LONG_MS, "ms", note)
        columns = ["view", "first data, ms", "slowest", "longest task in a burst, ms", "worst"]
        title = f"in Chromium, medians of {self._repeats}; 0: no task of over {LONG_MS:g} ms"
        self._found.tables.append(ReportTable(title, columns, rows))

    def _first(self, address: str) -> float:
        """Time in ms from the navigation, with nothing kept from before, until the view shows data and is live."""
        with self._browser.new_context(viewport={"width": 1280, "height": 800}) as context:
            page = context.new_page()
            return self._opened(page, address)

    def _opened(self, page: "Page", address: str) -> float:
        page.add_init_script(WATCH)
        page.goto(f"{self._site.url}{address}")
        deadline = time.monotonic() + LIMIT_S
        while not (first := float(page.evaluate("window.bench.first"))):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{address} shows no live data")
            time.sleep(0.02)
        return first

    def _tasks(self, address: str, work: Callable[["Page"], Any]) -> list[float]:
        """By repeat: the longest of the long tasks while `work` goes on; 0 where there was none."""
        with self._browser.new_context(viewport={"width": 1280, "height": 800}) as context:
            page = context.new_page()
            self._opened(page, address)
            time.sleep(2.0)
            longest = []
            for _ in range(self._repeats):
                page.evaluate("window.bench.tasks.length = 0")
                work(page)
                tasks = page.evaluate("window.bench.tasks.map(([, duration]) => duration)")
                longest.append(max(tasks, default=0.0))
            return longest

    def _burst(self, page: "Page") -> None:
        self._site.burst(self._symbols)
        page.wait_for_timeout(self._seconds * 1_000)
