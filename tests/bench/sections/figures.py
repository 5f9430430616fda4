"""Figures: the eight by which the engine is judged, from an A/B run of the whole engine and from other sections."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.bench.coverage import delays_ms, summary
from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.engine import TRADERS_COUNT, EngineRun, run_engine
from tests.bench.rigs.fleet import FleetRun, run_fleet
from tests.bench.rigs.load import Load
from tests.bench.rigs.market import SHIPPED
from tests.bench.sections.latency import lost_updates

SYMBOLS = 5_000
RATE = 1_000  # a quiet market: about 70 of 5,000 symbols change in a cycle of 100 ms
SWAP_MS = 100.0
PERIOD_NS = 10_000_000
# Heartbeats in a second: five channels of the feed, each trader, the roster, the collector's control and signals.
HEARTBEATS = 2 * 5 + TRADERS_COUNT + 2 + 2 + 2


@dataclass(frozen=True)
class ComparedRun:
    """One side of the A/B run."""

    outcome: EngineRun
    trader_cpu_ms: float
    """In a second."""
    signal_p50: float
    signal_p99: float
    messages: int


def run(options: Options, others: dict[str, SectionReport]) -> SectionReport:
    found = SectionReport("figures")
    load = Load(SYMBOLS, RATE, 1.5 if options.quick else 8.0, probes=20)
    sides = {on: _side(load, run_engine(load, PERIOD_NS, SWAP_MS, False, tracking=on)) for on in (True, False)}
    on, off = sides[True], sides[False]
    latency, results = others["latency"], others["results"]

    whole = on.outcome.cycles * SYMBOLS
    found.at_least("1 average efficiency", 100 * (1 - on.outcome.evaluated / whole) if whole else None, 85.0, "%")
    lost = [measure.value for measure in latency.measures if measure.name.endswith("ticks lost")]
    lost_here = sum(lost_updates(load, side.outcome) for side in sides.values())
    runs = len(lost) + len(sides)
    found.at_most("2 updates lost", sum(value or 0 for value in lost) + lost_here, 0, "", f"ledgers of {runs} runs")
    cheap = 100 * (1 - on.trader_cpu_ms / off.trader_cpu_ms)
    shipped = {tracking: _shipped(options, tracking) for tracking in (True, False)}
    saved = 100 * (1 - shipped[True].cpu_ms / shipped[False].cpu_ms)
    note = f"whole processes of the shipped traders of one symbol; {cheap:.0f} % with the cheap rule alone"
    found.at_least("3 CPU of the traders down", saved, 80.0, "%", note)
    _added_latency(found, latency)
    messages = 100 * (1 - on.messages / load.count)
    found.at_least(
        "5 messages down, beside one a tick", messages, 70.0, "%", f"{on.messages:,} for {load.count:,} ticks"
    )
    flags = next((m for m in results.measures if "bitsets" in m.name), None)
    found.at_most("6 flag memory", flags.value if flags else None, 1_024, "bytes", flags.name if flags else "")
    errors = on.outcome.errors + off.outcome.errors
    found.at_most("7 error lines in a run", len(errors), 0, "", "; ".join(errors[:2]))
    differ = sum(one != other for one, other in zip(on.outcome.matches, off.outcome.matches, strict=True))
    found.at_most("8 A/B: traders whose matches differ with tracking off", differ, 0, "")
    rows = [
        [
            "on" if tracking else "off", side.trader_cpu_ms, side.outcome.evaluated, side.outcome.cycles,
            side.messages, side.signal_p50, side.signal_p99,
        ]
        for tracking, side in sides.items()
    ]  # fmt: skip
    columns = ["tracking", "traders' CPU ms/s", "evaluations", "cycles", "messages", "signal p50 ms", "p99"]
    title = f"A/B: {SYMBOLS:,} symbols, {RATE:,} ticks/s, swap every {SWAP_MS:g} ms, {TRADERS_COUNT} traders"
    found.tables.append(ReportTable(title, columns, rows))
    return found


def _shipped(options: Options, tracking: bool) -> FleetRun:
    """The shipped traders but the ranking, which evaluates the whole market whenever something changed."""
    seconds = 1.5 if options.quick else 8.0
    settings = {
        "TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": str(SWAP_MS),
        "TICKFLAG_TRADER__TRACKING": str(tracking).lower(),
    }
    files = [path for path in sorted(SHIPPED.glob("[a-z]*.py")) if path.stem != "top_movers"]

    def place(plugins: Path, _configs: Path) -> None:
        for path in files:
            shutil.copy(path, plugins)

    return run_fleet(Load(SYMBOLS, RATE, seconds + 4.0), seconds, len(files), place, settings, PERIOD_NS)


def _side(load: Load, outcome: EngineRun) -> ComparedRun:
    ticks = np.arange(load.count // 10, load.count) + 1
    probes = ticks[load.is_probe[load.slots[ticks - 1]]]
    delays = []
    for number in range(TRADERS_COUNT):
        mine = outcome.signals[outcome.signals[:, 0] == number]
        delays.append(delays_ms(load, outcome.start_ns, mine[:, 2], mine[:, 1], probes))
    taken = summary(np.concatenate(delays))
    results = len(np.unique(outcome.signals[:, [0, 4]], axis=0))
    messages = outcome.swaps + results + round(HEARTBEATS * outcome.elapsed_s)
    return ComparedRun(outcome, outcome.cpu_ns["trader"] / 1e6 / outcome.elapsed_s, taken.p50, taken.p99, messages)


def _added_latency(found: SectionReport, latency: SectionReport) -> None:
    """Compare with a message a tick, at the highest rate at which that rival is not seconds behind."""
    ratios = [m for m in latency.measures if "tick to signal, p99, times" in m.name]
    busy = [m for m in ratios if m.name.startswith("50,000")]
    quiet = [m for m in ratios if m.name.startswith("5,000")]
    judged = next(iter(busy or quiet), None)
    note = "; ".join(f"{m.name.split(':')[0]}: {m.value:.2f} x" for m in quiet + busy if m.value is not None)
    found.at_most(
        "4 tick to signal p99, times that of a message a tick", judged.value if judged else None, 1.0, "x", note
    )
