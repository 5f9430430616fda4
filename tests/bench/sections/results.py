"""Results: bytes of deltas compared with full results, and the memory that tracking takes."""

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.market import SHIPPED, BenchMarket, BenchTrader, runtime_folder
from tickflag.common.segment import layout
from tickflag.common.segment.layout import CONTROL_WORDS, CYCLE_RING

SYMBOLS = 5_000
QUIET = 100  # symbols that change in a cycle


def run(options: Options) -> SectionReport:
    found = SectionReport("results")
    _bytes(found, options)
    _memory(found)
    return found


def _bytes(found: SectionReport, options: Options) -> None:
    """Measure the shipped traders on a quiet market, with deltas and with a full result whenever something changed."""
    cycles = 30 if options.quick else 300
    rows = []
    sent = {True: 0, False: 0}
    messages = 0
    with runtime_folder() as runtime, BenchMarket(runtime, SYMBOLS, history=100) as bench_market:
        traders = {
            (path.stem, deltas): BenchTrader(bench_market.segment, path, deltas=deltas)
            for path in sorted(SHIPPED.glob("[a-z]*.py"))
            for deltas in (True, False)
        }
        bench_market.tick(bench_market.activity.distinct(SYMBOLS))
        for _ in range(cycles):
            bench_market.tick(bench_market.activity.distinct(QUIET), 100_000_000)
            bench_market.swap()
            for trader in traders.values():
                trader.step(bench_market.event_ns)
        for name in sorted({name for name, _ in traders}):
            small, full = traders[name, True].tally, traders[name, False].tally
            sent[True] += small.bytes_sent
            sent[False] += full.bytes_sent
            messages += traders[name, True].sent
            rows.append(
                [name, traders[name, True].matches.count, small.bytes_sent, full.bytes_sent, full.bytes_full,
                 100 * (1 - small.bytes_sent / full.bytes_sent)]
            )  # fmt: skip
        del traders
    saved = 100 * (1 - sent[True] / sent[False])
    found.at_least(f"results smaller than full ones, {QUIET} of {SYMBOLS:,} flagged a cycle", saved, 80.0, "%")
    columns = ["trader", "matches", "bytes of deltas", "bytes of full results", "full in every cycle", "% smaller"]
    found.tables.append(ReportTable(f"bytes of results in {cycles} cycles, before compression", columns, rows))


def _memory(found: SectionReport) -> None:
    """List all memory that tracking adds, at 4,000 symbols."""
    symbols = 4_000
    plan = layout.plan(symbols, 100, (60, 300, 900, 3_600))
    with runtime_folder() as runtime, BenchMarket(runtime, symbols, 1) as bench_market:
        arrays = bench_market.segment.arrays
        bitsets = int(arrays.flags[0].nbytes)
        rows = [
            ["flags of the ticker, A and B", bitsets, "segment"],
            ["flags of four candle channels", int(arrays.flags[1:].nbytes), "segment"],
            ["row versions", int(arrays.versions.nbytes), "segment"],
            ["ring heads, four intervals", int(arrays.heads.nbytes), "segment"],
            ["control words", plan.channel_count * CONTROL_WORDS * 8, "segment"],
            ["times of the last cycles", plan.channel_count * CYCLE_RING * 16, "segment"],
            ["versions seen", symbols * 8, "each trader"],
            ["copy of the flags", plan.flag_words * 4, "each trader"],
            ["slots to process", symbols * 4, "each trader"],
            ["watch list", symbols, "each trader"],
        ]
        del arrays
    found.at_most(f"both ticker bitsets at {symbols:,} symbols", bitsets, 1_000, "bytes")
    found.tables.append(ReportTable(f"memory of tracking at {symbols:,} symbols", ["", "bytes", "where"], rows))
