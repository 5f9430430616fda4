"""The page in a real Chromium: the first view, a burst of the whole market, and scrolling through all matches."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.site import Site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SYMBOLS = 5_000
RATE = 2_000
FIRST_MS = 1_000.0
LONG_MS = 50.0
REPEATS = 5
LIMIT_S = 60.0
SETTLE_S = 2.0

WATCH = """
window.bench = { first: 0, tasks: [] };
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.bench.tasks.push(task.duration);
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


@dataclass(frozen=True, slots=True)
class LongestTask:
    """Of the page's main thread. What others do on the machine lengthens `ms`, not `cpu_ms`."""

    ms: float
    """As the page itself observes long tasks; 0 where none took over 50 ms."""
    cpu_ms: float
    """Processor time of the task that used most of it, from a trace."""


def run(found: SectionReport, options: Options) -> None:
    """Add the measurements of the page; only their reason where there is no Chromium."""
    from tests.support.harnesses import browser as real

    if real.CHROMIUM is None:
        found.at_most("the page in a browser", None, LONG_MS, "ms", "chromium is missing")
        return
    symbols, repeats, seconds = (500, 2, 1.0) if options.quick else (SYMBOLS, REPEATS, 4.0)
    with running_site(symbols, RATE, ["every"], moving=True) as site, real.chromium() as browser:
        _PageBench(found, site, browser, symbols, repeats, seconds).run()


class _PageBench:
    def __init__(
        self, found: SectionReport, site: Site, browser: "Browser", symbols: int, repeats: int, seconds: float
    ) -> None:
        self._found, self._site, self._browser = found, site, browser
        self._symbols, self._repeats, self._seconds = symbols, repeats, seconds

    def run(self) -> None:
        views = {
            "overview": "/",
            "matches": "/matches",
            "symbol": f"/symbol/{quote(self._site.symbol(), safe='')}",
            "signals": "/signals",
        }
        rows: list[list[Any]] = []
        for name, address in views.items():
            cold = [self._first(address, rested=True) for _ in range(self._repeats)]
            warm = [self._first(address, rested=False) for _ in range(self._repeats)]
            first = statistics.median(cold)
            self._found.at_most(f"{name}: from the navigation to live data", first, FIRST_MS, "ms")
            tasks = self._tasks(address, self._burst)
            self._judge(f"{name}: longest task in a burst of {self._symbols:,} symbols", tasks)
            rows.append([name, first, max(cold), statistics.median(warm), *_columns(tasks)])
        rates: list[float] = []
        tasks = self._tasks("/matches", lambda page: rates.append(page.evaluate(SCROLL, self._seconds)))
        self._judge(f"longest task while all {self._symbols:,} matches scroll by in {self._seconds:g} s", tasks)
        rows.append([f"matches, {statistics.median(rates):.0f} frames a second", None, None, None, *_columns(tasks)])
        title = f"in Chromium, medians of {self._repeats}; longest task: in a burst, last line while scrolling"
        columns = [
            "view", "first data, ms", "slowest", "where others look, ms", "longest task, ms", "slowest", "its CPU, ms",
        ]  # fmt: skip
        self._found.tables.append(ReportTable(title, columns, rows))
        self._found.notes.append("first data: nothing in the browser's cache, and nobody looked before.")
        self._found.notes.append("longest task: 0 where none takes over 50 ms; its CPU does not depend on other load.")

    def _judge(self, name: str, tasks: list[LongestTask]) -> None:
        cpu = statistics.median(task.cpu_ms for task in tasks)
        self._found.at_most(name, statistics.median(task.ms for task in tasks), LONG_MS, "ms", f"CPU {cpu:.0f} ms")

    def _first(self, address: str, rested: bool) -> float:
        """Time in ms from the navigation, with an empty cache, until the view shows data and is live."""
        if rested:  # as after a minute in which nobody looked
            self._site.monitor(False)
            self._site.monitor(True)
        with self._context() as context:
            return self._opened(context.new_page(), address)

    def _context(self) -> "BrowserContext":
        return self._browser.new_context(viewport={"width": 1280, "height": 800})

    def _opened(self, page: "Page", address: str) -> float:
        page.add_init_script(WATCH)
        page.goto(f"{self._site.url}{address}")
        deadline = time.monotonic() + LIMIT_S
        while not (first := float(page.evaluate("window.bench.first"))):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{address} shows no live data")
            time.sleep(0.02)
        return first

    def _tasks(self, address: str, work: Callable[["Page"], Any]) -> list[LongestTask]:
        """By repeat: the longest task while `work` goes on. One more run is traced, as tracing takes time itself."""
        with self._context() as context:
            page = context.new_page()
            self._opened(page, address)
            time.sleep(SETTLE_S)
            longest = []
            for _ in range(self._repeats):
                page.evaluate("window.bench.tasks.length = 0")
                work(page)
                longest.append(max(page.evaluate("window.bench.tasks"), default=0.0))
            traced = [self._traced(page, work) for _ in range(self._repeats)]
            return [LongestTask(ms, cpu_ms) for ms, cpu_ms in zip(longest, traced, strict=True)]

    def _traced(self, page: "Page", work: Callable[["Page"], Any]) -> float:
        self._browser.start_tracing(page=page, categories=["toplevel"])
        work(page)
        events = json.loads(self._browser.stop_tracing())["traceEvents"]
        main = {
            (event["pid"], event["tid"])
            for event in events
            if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
        }
        tasks = (event for event in events if event["ph"] == "X" and (event["pid"], event["tid"]) in main)
        return max((event.get("tdur", 0) for event in tasks), default=0) / 1_000

    def _burst(self, page: "Page") -> None:
        self._site.burst(self._symbols)
        page.wait_for_timeout(self._seconds * 1_000)


def _columns(tasks: list[LongestTask]) -> list[float]:
    durations = [task.ms for task in tasks]
    return [statistics.median(durations), max(durations), statistics.median(task.cpu_ms for task in tasks)]
