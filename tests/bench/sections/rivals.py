"""Rivals: CPU for a tick in three other ways to do the same work, and in ours. Four traders, 100,000 ticks a second."""

import statistics
from collections.abc import Callable

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.engine import EngineRun, run_engine
from tests.bench.rigs.load import Load
from tests.bench.rigs.rival_run import run_rival
from tests.bench.timing import in_turn

RATE = 100_000
PERIOD_NS = 10_000_000  # for all sides: the ticks of 10 ms are handed over together
SIGNALS = 20  # a second, for each trader
WORKS_OFF_S = 30.0
OURS = "tickflag, a cycle each 10 ms"
GROUPED = "tickflag, a cycle each 10 ms, traders in one process"
DEFAULT = "tickflag, a cycle each 100 ms"
RIVALS = {
    "tick": "PUB, a message a tick",
    "batch": "PUB, batches of 10 ms",
    "array": "shared array, all symbols each 10 ms",
}


def run(options: Options) -> SectionReport:
    found = SectionReport("rivals")
    sizes = (500,) if options.quick else (500, 5_000, 100_000)
    for symbols in sizes:
        _size(found, options, symbols)
    found.notes.append(
        "CPU of all processes: publisher or feed, four consumers or workers, collector, supervisor. Work: price over "
        f"the mean of 20 values; about {SIGNALS} signals a second and trader."
    )
    return found


def _size(found: SectionReport, options: Options, symbols: int) -> None:
    load = Load(symbols, 20_000 if options.quick else RATE, 1.0 if options.quick else 2.0, probes=SIGNALS)
    # Candles of 100,000 symbols at full depth would take 2.4 GB of shared memory.
    depth = 20 if symbols > 20_000 else 100
    sides: dict[str, Callable[[], EngineRun]] = {
        "tick": lambda: run_rival("tick", load, PERIOD_NS, False, WORKS_OFF_S),
        "batch": lambda: run_rival("batch", load, PERIOD_NS, False, WORKS_OFF_S),
        "array": lambda: run_rival("array", load, PERIOD_NS, False, WORKS_OFF_S),
        OURS: lambda: run_engine(load, PERIOD_NS, 0.0, False, depth=depth),
        GROUPED: lambda: run_engine(load, PERIOD_NS, 0.0, False, depth=depth, grouped=True),
        DEFAULT: lambda: run_engine(load, PERIOD_NS, 100.0, False, depth=depth),
    }
    if options.quick:
        del sides[DEFAULT]
    outcomes: dict[str, list[EngineRun]] = {side: [] for side in sides}
    for repeat in range(2 if symbols == 5_000 else 1):
        for side in in_turn(list(sides), repeat):
            outcomes[side].append(sides[side]())
    per_tick = {
        side: statistics.median(outcome.total_cpu_ns / load.count / 1_000 for outcome in runs)
        for side, runs in outcomes.items()
    }
    for side, limit in (("tick", 0.1), ("batch", 0.2), ("array", 0.0)):
        name = f"{symbols:,} symbols: CPU a tick as a share of: {RIVALS[side]}"
        ratio = per_tick[OURS] / per_tick[side]
        if limit:
            slower = f"{per_tick[DEFAULT] / per_tick[side]:.3f} x with a cycle each 100 ms" if DEFAULT in sides else ""
            found.at_most(name, ratio, limit, "x", slower)
            found.at_most(f"{name}, traders in one process", per_tick[GROUPED] / per_tick[side], limit, "x")
        else:
            found.plainly(name, ratio, "x")
    rows = [
        [
            RIVALS.get(side, side),
            per_tick[side],
            statistics.median(outcome.elapsed_s for outcome in outcomes[side]),
            _part(outcomes[side], ("feed", "publisher"), load),
            _part(outcomes[side], ("trader",), load),
            _part(outcomes[side], ("collector",), load),
        ]
        for side in sides
    ]
    columns = ["", "us a tick", "worked off in s", "feed, publisher", "traders, consumers", "collector"]
    title = f"CPU a tick, {symbols:,} symbols, {load.rate:,} ticks/s for {load.seconds:g} s"
    found.tables.append(ReportTable(title, columns, rows))


def _part(outcomes: list[EngineRun], names: tuple[str, ...], load: Load) -> float:
    """CPU us for a tick, of the processes whose names begin with one of `names`."""
    return statistics.median(
        sum(used for name, used in outcome.cpu_ns.items() if name.startswith(names)) / load.count / 1_000
        for outcome in outcomes
    )
