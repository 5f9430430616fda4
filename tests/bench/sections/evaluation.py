"""Evaluation: CPU of a trader's cycle, with tracking on and off, by the numbers of flagged and of all symbols."""

import statistics
from pathlib import Path

import numpy as np

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.market import SHIPPED, TRADERS, BenchMarket, BenchTrader, runtime_folder
from tests.bench.timing import cpu_ns, in_turn
from tickflag.common.segment import layout

SYMBOLS = 5_000
QUIET = 0.02
TURN = 5  # cycles
RULES = {
    "price over mean of 20": (TRADERS / "price_over_mean.py", 90.0),
    "RSI over 100 candles": (SHIPPED / "rsi.py", 98.0),
    "per-symbol Python rule": (SHIPPED / "spread.py", 95.0),
}
CHUNKS = (20, 64, 256, 1_024, 4_096)
SHARES = (0.001, 0.01, QUIET, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)


def run(options: Options) -> SectionReport:
    found = SectionReport("evaluation")
    with runtime_folder() as runtime, BenchMarket(runtime, SYMBOLS, history=100) as bench_market:
        for rule, (path, goal) in RULES.items():
            _rule(found, options, bench_market, rule, path, goal)
        _chunks(found, options, bench_market)
        _debug_ring(found, options, bench_market)
    _growth(found, options)
    return found


def _rule(
    found: SectionReport, options: Options, bench_market: BenchMarket, rule: str, path: Path, goal: float
) -> None:
    """Measure the whole curve of one rule; there are targets for the quiet market, for half and for all flagged."""
    slow = rule.startswith("per-symbol")
    turn = 2 if slow and options.quick else TURN
    traders = {
        tracking: _settled(bench_market, BenchTrader(bench_market.segment, path, tracking))
        for tracking in (True, False)
    }
    rows = []
    for share in (QUIET, 0.5, 1.0) if options.quick else SHARES:
        flagged = max(1, round(share * SYMBOLS))
        cycles = (2 if slow else 10) if options.quick else 20 if slow else 60 if flagged > 1_000 else 120
        on, off = _cycles_ns(bench_market, traders, flagged, cycles, turn)
        rows.append([100 * share, flagged, on / 1_000, off / 1_000, on / off, 100 * (1 - on / off)])
        if share == QUIET:
            found.at_least(f"{rule}: CPU saved, 2 % of {SYMBOLS:,} flagged", 100 * (1 - on / off), goal, "%")
        elif share == 0.5:
            found.at_most(f"{rule}: 50 % flagged, times the CPU of tracking off", on / off, 1.1, "x")
        elif share == 1.0:
            found.at_most(f"{rule}: all flagged, times the CPU of tracking off", on / off, 1.2, "x")
    columns = ["% flagged", "symbols", "tracking us", "off us", "ratio", "% saved"]
    found.tables.append(ReportTable(f"CPU of a cycle, {SYMBOLS:,} symbols: {rule}", columns, rows))


def _chunks(found: SectionReport, options: Options, bench_market: BenchMarket) -> None:
    """Measure a cycle of everything, by the number of symbols in a chunk. Between chunks a worker serves control
    messages, heartbeat and deadline."""
    rows = []
    for rule in ("RSI over 100 candles", "per-symbol Python rule"):
        path, _ = RULES[rule]
        traders = {
            chunk: _settled(bench_market, BenchTrader(bench_market.segment, path, chunk=chunk)) for chunk in CHUNKS
        }
        times: dict[int, list[int]] = {chunk: [] for chunk in CHUNKS}
        for number in range(4 if options.quick else 30):
            bench_market.tick(bench_market.activity.distinct(SYMBOLS))
            bench_market.swap()
            for chunk in in_turn(list(CHUNKS), number):
                times[chunk].append(cpu_ns(traders[chunk].step, bench_market.event_ns))
        whole_us = {chunk: statistics.median(taken) / 1_000 for chunk, taken in times.items()}
        rows += [[rule, chunk, us, us * chunk / SYMBOLS] for chunk, us in whole_us.items()]
    columns = ["rule", "symbols a chunk", "cycle us", "chunk us"]
    found.tables.append(ReportTable(f"all of {SYMBOLS:,} symbols flagged, in chunks", columns, rows))


def _settled(bench_market: BenchMarket, trader: BenchTrader) -> BenchTrader:
    """The trader after its first cycles: everything seen, snapshot sent."""
    for _ in range(2):
        bench_market.tick(np.arange(len(bench_market.activity.start)))
        bench_market.swap()
        trader.step(bench_market.event_ns)
    return trader


def _cycles_ns(
    bench_market: BenchMarket, traders: dict[bool, BenchTrader], flagged: int, cycles: int, turn: int
) -> tuple[float, float]:
    """Median CPU of a cycle with `flagged` symbols changed, tracking on and off.

    The sides take turns of some cycles, because in an engine each has a process and its caches to itself. The first
    cycle of a turn does not count.
    """
    times: dict[bool, list[int]] = {True: [], False: []}
    for repeat in range(max(2, cycles // turn)):
        for tracking in in_turn(list(traders), repeat):
            trader = traders[tracking]
            for number in range(turn + 1):
                bench_market.tick(bench_market.activity.distinct(flagged))
                bench_market.swap()
                taken = cpu_ns(trader.step, bench_market.event_ns)
                if number:
                    times[tracking].append(taken)
    return statistics.median(times[True]), statistics.median(times[False])


def _growth(found: SectionReport, options: Options) -> None:
    """250 changed symbols should cost the same among few and among many."""
    large = 20_000 if options.quick else 100_000
    cycles = 10 if options.quick else 200
    paths = {"price over mean of 20": RULES["price over mean of 20"][0], "empty rule": TRADERS / "empty.py"}
    with runtime_folder() as small_folder, runtime_folder() as large_folder:
        sizes = {"small": (small_folder, SYMBOLS), "large": (large_folder, large)}
        bench_markets = {key: BenchMarket(folder, n, 20, (60,), history=20) for key, (folder, n) in sizes.items()}
        rows = []
        growth: dict[str, float] = {}
        for rule, path in paths.items():
            traders = {
                key: _settled(bench_market, BenchTrader(bench_market.segment, path))
                for key, bench_market in bench_markets.items()
            }
            times: dict[str, list[int]] = {key: [] for key in bench_markets}
            for number in range(cycles):
                for key in in_turn(list(bench_markets), number):
                    bench_market, trader = bench_markets[key], traders[key]
                    bench_market.tick(bench_market.activity.distinct(250))
                    bench_market.swap()
                    times[key].append(cpu_ns(trader.step, bench_market.event_ns))
            small_ns, large_ns = statistics.median(times["small"]), statistics.median(times["large"])
            growth[rule] = large_ns / small_ns
            rows.append([rule, small_ns / 1_000, large_ns / 1_000, growth[rule]])
            del traders
        for bench_market in bench_markets.values():
            bench_market.close()
    found.at_most(
        f"growth of a cycle, 250 flagged of {SYMBOLS:,} and of {large:,}", growth["price over mean of 20"], 1.5, "x"
    )
    columns = ["250 flagged", f"of {SYMBOLS:,} us", f"of {large:,} us", "ratio"]
    found.tables.append(ReportTable("growth with the number of symbols", columns, rows))


def _debug_ring(found: SectionReport, options: Options, bench_market: BenchMarket) -> None:
    """Measure what recording every update costs the feed."""
    living = bench_market.market.segment.arrays.living
    per_tick: dict[int, list[float]] = {0: [], 1: []}
    for number in range(20 if options.quick else 100):
        rows = bench_market.activity.trades(bench_market.activity.zipf(4_096), bench_market.event_ns)
        for on in in_turn([0, 1], number):
            living[layout.DEBUG_ON] = on
            per_tick[on].append(cpu_ns(bench_market.apply, rows) / 4_096)
    living[layout.DEBUG_ON] = 0
    bench_market.swap()
    found.plainly("a tick with the debug ring off", statistics.median(per_tick[0]), "ns")
    found.plainly("a tick with the debug ring on", statistics.median(per_tick[1]), "ns")
