"""Latency: from a tick's creation to the traders' decision and to the signal at the collector, with real processes.

Every tick counts, also one that a newer one overtook: it is covered by the first decision on it or on a newer tick of
its symbol. A tick is created when the load says so, whether or not the feed was busy then.
"""

from dataclasses import dataclass

import numpy as np

from tests.bench.coverage import Latency, delays_ms, summary
from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.engine import EngineRun, run_engine
from tests.bench.rigs.load import Load
from tests.bench.rigs.market import TRADERS as TRADER_FILES
from tests.bench.rigs.rival_run import run_rival

SYMBOLS = 500
WARM_SHARE = 0.2  # the first part of a run does not count
RATES = (5_000, 50_000, 200_000)
SWAPS_MS = (0.0, 1.0, 10.0, 100.0)
WORKS_OFF_S = 15.0
TRADERS = 4


@dataclass(frozen=True)
class Point:
    """One side at one rate."""

    decision: Latency
    signal: Latency
    journalled: Latency | None
    cpu_cores: float
    lost: int
    outcome: EngineRun


def run(options: Options) -> SectionReport:
    found = SectionReport("latency")
    rates = (5_000,) if options.quick else RATES
    swaps = (0.0,) if options.quick else SWAPS_MS
    seconds = 1.0 if options.quick else 3.0
    rows = []
    errors: list[str] = []
    for rate in rates:
        load = Load(SYMBOLS, rate, seconds)
        period_ns = max(100_000, 1_000_000_000 // rate)
        rival = _point(load, run_rival("tick", load, period_ns, True, WORKS_OFF_S))
        rows.append(_row(rate, "PUB, a message a tick", rival))
        for swap_ms in swaps:
            ours = _point(load, run_engine(load, period_ns, swap_ms, True))
            rows.append(_row(rate, f"tickflag, swap every {swap_ms:g} ms", ours))
            errors += ours.outcome.errors
            if swap_ms == 0:
                _judge(found, rate, ours, rival)
            found.at_most(f"{rate:,} ticks/s, swap {swap_ms:g} ms: ticks lost", ours.lost, 0, "")
    _beside_a_failing_one(found, Load(SYMBOLS, RATES[0], seconds), rows)
    columns = ["ticks/s", "", "decision p50", "p99", "worst", "signal p50", "p99", "journalled p99", "cores", "lost"]
    found.tables.append(ReportTable(f"ms from a tick's creation, {TRADERS} traders, {SYMBOLS} symbols", columns, rows))
    found.plainly("error lines in the logs of these runs", len(errors), "", "; ".join(errors[:3]))
    return found


def _beside_a_failing_one(found: SectionReport, load: Load, rows: list[list[str | float | int | None]]) -> None:
    """Measure what traders notice of a fifth one that raises in every cycle, is started fresh and quarantined."""
    period_ns = 1_000_000_000 // load.rate
    alone = _point(load, run_engine(load, period_ns, 10.0, True))
    beside = _point(load, run_engine(load, period_ns, 10.0, True, neighbour=TRADER_FILES / "failing.py"))
    for side, point in (("swap every 10 ms", alone), ("the same, beside a trader that always fails", beside)):
        rows.append(_row(load.rate, side, point))
    name = f"{load.rate:,} ticks/s: tick to signal beside a trader that always fails, times that without, p99"
    found.plainly(name, beside.signal.p99 / alone.signal.p99, "x")
    found.at_most("ticks lost beside a trader that always fails", beside.lost, 0, "")


def _judge(found: SectionReport, rate: int, ours: Point, rival: Point) -> None:
    """Compare with the rival where it keeps up, with the clock where it does not."""
    for what in ("decision", "signal"):
        mine, theirs = getattr(ours, what), getattr(rival, what)
        if rate == RATES[0]:
            for which in ("p50", "p99"):
                name = f"{rate:,} ticks/s: tick to {what}, {which}, times that of a message a tick"
                note = f"{getattr(mine, which):.2f} ms and {getattr(theirs, which):.2f} ms"
                found.at_most(name, getattr(mine, which) / getattr(theirs, which), 1.5, "x", note)
        else:
            note = f"a message a tick: {theirs.p99:,.1f} ms"
            found.at_most(f"{rate:,} ticks/s: tick to {what}, p99", mine.p99, 2.0, "ms", note)
            found.plainly(
                f"{rate:,} ticks/s: tick to {what}, p99, times that of a message a tick", mine.p99 / theirs.p99, "x"
            )


def _point(load: Load, outcome: EngineRun) -> Point:
    ticks = np.arange(int(load.count * WARM_SHARE), load.count) + 1
    probes = ticks[load.is_probe[load.slots[ticks - 1]]]
    start_ns = outcome.start_ns
    decisions = [delays_ms(load, start_ns, seen[:, 0], seen[:, 1], ticks) for seen in outcome.entries]
    signals, journalled = [], []
    for number in range(TRADERS):
        mine = outcome.signals[outcome.signals[:, 0] == number]
        signals.append(delays_ms(load, start_ns, mine[:, 2], mine[:, 1], probes))
        if mine.shape[1] > 3:
            journalled.append(delays_ms(load, start_ns, mine[:, 3], mine[:, 1], probes))
    return Point(
        summary(np.concatenate(decisions)),
        summary(np.concatenate(signals)),
        summary(np.concatenate(journalled)) if journalled else None,
        outcome.total_cpu_ns / 1e9 / outcome.elapsed_s,
        lost_updates(load, outcome),
        outcome,
    )


def lost_updates(load: Load, outcome: EngineRun) -> int:
    """Symbols whose newest tick is missing: a trader did not see it, the row does not hold it, or the collector's match
    does not show it."""
    last = load.last_seq()
    lost = int((outcome.final_seq != last).sum()) if len(outcome.final_seq) else 0
    for seen in outcome.entries:
        newest = np.zeros(load.symbols, np.int64)
        real = seen[seen[:, 1] > 0, 1]
        np.maximum.at(newest, load.slots[real - 1], real)
        lost += int((newest != last).sum())
    final = load.final_matches()
    return lost + sum(len(matches.items() ^ final.items()) for matches in outcome.matches)


def _row(rate: int, side: str, point: Point) -> list[str | float | int | None]:
    decision, signal = point.decision, point.signal
    return [
        rate, side, decision.p50, decision.p99, decision.worst, signal.p50, signal.p99,
        point.journalled.p99 if point.journalled else None, point.cpu_cores, point.lost + decision.missing,
    ]  # fmt: skip
