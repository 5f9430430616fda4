"""Dashboard: what it costs the engine and itself, what a viewer gets, and how the page feels in a real browser."""

import contextlib
import math
import statistics
import time

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.site import ROWS, SERVICES, CountingViewer, Site, running_site, view
from tests.bench.sections import dashboard_page

SYMBOLS = 5_000
RATE = 2_000
PHASES = ("monitoring off", "nobody looks", "three viewers")
VIEWS = ("overview", "matches", "symbol")
SETTLE_S = 2.0
T_95 = {2: 12.71, 3: 4.30, 5: 2.78, 7: 2.45}
"""Student's t of a 95 % interval, by the number of rounds."""


def run(options: Options) -> SectionReport:
    found = SectionReport("dashboard")
    _cost(found, options)
    _bytes(found, options)
    dashboard_page.run(found, options)
    return found


def _cost(found: SectionReport, options: Options) -> None:
    """CPU of the processes in turns of each phase: off, on with nobody looking, on with three viewers."""
    rounds, seconds = (2, 1.0) if options.quick else (7, 10.0)
    symbols = 500 if options.quick else SYMBOLS
    used: dict[str, list[dict[str, float]]] = {phase: [] for phase in PHASES}
    with running_site(symbols, RATE, ["every"]) as site:
        symbol = site.symbol()
        for _ in range(rounds):
            for phase in PHASES:  # always in this order: only switching off ends the following of signals at once
                site.monitor(phase != PHASES[0])
                with _looking(site, [*VIEWS] if phase == PHASES[2] else [], symbol):
                    time.sleep(SETTLE_S)
                    used[phase].append(site.cpu_ms(seconds))
    names = [*SERVICES, "dashboard"]
    median = {
        phase: {name: statistics.median(one[name] for one in used[phase]) / 10 for name in names} for phase in PHASES
    }
    engine = {phase: [sum(one[name] for name in SERVICES) / 10 for one in used[phase]] for phase in PHASES}
    own = {phase: [one["dashboard"] / 10 for one in used[phase]] for phase in PHASES}
    rows = [[phase, *median[phase].values(), statistics.median(engine[phase])] for phase in PHASES]
    title = f"% of a core, {symbols:,} symbols, {RATE:,} ticks/s; medians of {rounds} turns of {seconds:g} s"
    found.tables.append(ReportTable(title, ["", *names, "engine together"], rows))
    nobody, three = (_extra(engine[phase], engine[PHASES[0]]) for phase in PHASES[1:])
    least = statistics.fmean(nobody) - _reach(nobody)
    note = f"median {statistics.median(nobody):+.2f}, half of a 95 % interval {_reach(nobody):.2f}"
    found.at_most("nobody looks: what it surely costs the engine's processes", least, 0.0, "% of a core", note)
    note = f"from {min(three):+.2f} to {max(three):+.2f}"
    found.at_most(
        "three viewers: what they cost the engine's processes", statistics.median(three), 3.0, "% of a core", note
    )
    found.plainly("nobody looks: the dashboard's process", statistics.median(own[PHASES[1]]), "% of a core")
    found.at_most("three viewers: the dashboard's process", statistics.median(own[PHASES[2]]), 30.0, "% of a core")


def _extra(values: list[float], before: list[float]) -> list[float]:
    """By round: what a phase takes more than monitoring off."""
    return [value - base for value, base in zip(values, before, strict=True)]


def _reach(values: list[float]) -> float:
    """Half of the 95 % interval of the mean."""
    return T_95[len(values)] * statistics.stdev(values) / math.sqrt(len(values))


@contextlib.contextmanager
def _looking(site: Site, views: list[str], symbol: str):  # type: ignore[no-untyped-def] # an iterator
    with contextlib.ExitStack() as stack:
        for name in views:
            stack.enter_context(CountingViewer(site, view(name, symbol))).wait_all()
        yield


def _bytes(found: SectionReport, options: Options) -> None:
    """The same window over few and many rows: bytes a second, and what the window costs the dashboard."""
    few, traders = (100, 2) if options.quick else (500, 10)
    seconds = 2.0 if options.quick else 10.0
    sizes = ((few, 1), (few * 10, traders))
    looks = [_window(symbols, count, seconds) for symbols, count in sizes]
    names = [f"{symbols * count:,}" for symbols, count in sizes]
    title = f"one viewer with a window of {ROWS} matches"
    columns = ["rows", "KB/s", "frames/s", "dashboard, % of a core"]
    rows = [[name, *look] for name, look in zip(names, looks, strict=True)]
    found.tables.append(ReportTable(title, columns, rows))
    name = f"bytes a second to a viewer, {names[1]} rows against {names[0]}"
    found.at_most(name, looks[1][0] / looks[0][0], 1.1, "x")


def _window(symbols: int, count: int, seconds: float) -> tuple[float, float, float]:
    """KB/s, frames/s and the dashboard's % of a core where so many traders match all symbols."""
    traders = [f"every-{number}" for number in range(count)]
    with (
        running_site(symbols, RATE, traders, shipped=False) as site,
        CountingViewer(site, view("matches", "")[1:]) as viewer,
    ):
        viewer.wait_all()
        time.sleep(SETTLE_S)
        before, frames = viewer.bytes, viewer.frames
        cpu = site.cpu_ms(seconds)["dashboard"] / 10
        return (viewer.bytes - before) / seconds / 1_000, (viewer.frames - frames) / seconds, cpu
