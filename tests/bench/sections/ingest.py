"""Ingest: what a tick costs the feed, what closing a cycle costs, and what reading the changed rows costs."""

import statistics

import numpy as np

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.market import BenchMarket, MarketActivity, runtime_folder
from tests.bench.timing import cpu_ns, in_turn, per_call_beside_ns, per_call_ns
from tickflag.common.protocol.cycles import close_cycle, open_next
from tickflag.common.protocol.reader import ChannelReader
from tickflag.common.protocol.rows import RowReader
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.updates import Batch

BATCH = 4_096
TICKS_A_SECOND = 100_000


def run(options: Options) -> SectionReport:
    found = SectionReport("ingest")
    large = 20_000 if options.quick else 100_000
    _ticks(found, options, 5_000, 100, 60.0)
    _ticks(found, options, large, 10, 120.0)
    _batch_sizes(found, options)
    _close(found, large)
    _read(found)
    return found


def _batches(activity: MarketActivity, count: int, size: int, quotes: bool) -> list[Batch]:
    """Ticks of a busy market: Zipf activity, event times that advance."""
    batches = []
    for number in range(count):
        first_ns = 1_700_049_600 * NS_PER_S + number * size * NS_PER_S // TICKS_A_SECOND
        rows = activity.trades(activity.zipf(size), first_ns + np.arange(size) * (NS_PER_S // TICKS_A_SECOND))
        if quotes:
            rows["qty"] = np.nan
        batches.append(Batch(rows))
    return batches


def _ticks(found: SectionReport, options: Options, symbols: int, depth: int, limit_ns: float) -> None:
    """Measure rows, versions, flags and candles; then the same with less, one after the other in each repeat."""
    count = 24 if options.quick else 200
    with runtime_folder() as runtime:
        bench_markets = {
            "default candles": BenchMarket(runtime, symbols, depth),
            "default candles, rate limit 100 ms": BenchMarket(runtime, symbols, depth, rate_limit_ns=NS_PER_S // 10),
            "candles from the source": BenchMarket(runtime, symbols, 1, brought=True),
            "quotes only": BenchMarket(runtime, symbols, 1),
        }
        activity = MarketActivity(symbols)
        trades, quotes = _batches(activity, count, BATCH, False), _batches(activity, count, BATCH, True)
        hot = np.empty_like(trades[0].rows)
        batch = Batch(hot)
        times: dict[str, list[int]] = {name: [] for name in bench_markets}
        for number in range(count):
            for name in in_turn(list(bench_markets), number):
                market = bench_markets[name].market
                hot[:] = (quotes if name == "quotes only" else trades)[number].rows  # a source has just written it
                now_ns = NS_PER_S + number * BATCH * NS_PER_S // TICKS_A_SECOND
                times[name].append(cpu_ns(market.apply, batch, now_ns))
                bench_markets[name].swap()
        per_tick = {name: statistics.median(values[count // 4 :]) / BATCH for name, values in times.items()}
        for bench_market in bench_markets.values():
            bench_market.close()
    name = f"tick at {symbols:,} symbols, depth {depth}, 4 candle intervals"
    found.at_most(name, per_tick["default candles"], limit_ns, "ns", f"batches of {BATCH:,}, Zipf")
    rows = [[name, value] for name, value in per_tick.items()]
    found.tables.append(ReportTable(f"a tick at {symbols:,} symbols", ["what the feed keeps", "ns"], rows))


def _batch_sizes(found: SectionReport, options: Options) -> None:
    """Small batches show the fixed cost of a batch."""
    total = 2_048 if options.quick else 16_384
    rows = []
    with runtime_folder() as runtime, BenchMarket(runtime, 5_000) as bench_market:
        for size in (1, 4, 16, 64, 256, 1_024):
            batches = _batches(bench_market.activity, total // size, size, False)
            hot = np.empty_like(batches[0].rows)
            taken = []
            for batch in batches:
                hot[:] = batch.rows
                taken.append(cpu_ns(bench_market.apply, hot))
            rows.append([size, statistics.median(taken) / 1_000, statistics.median(taken) / size])
            bench_market.swap()

        def turn() -> None:
            bench_market.apply(hot[:1])
            bench_market.swap()

        turns = per_call_ns(turn, 200)
    found.tables.append(
        ReportTable("small batches at 5,000 symbols", ["ticks in a batch", "us a batch", "ns a tick"], rows)
    )
    found.plainly("a single tick and its swap, without sending", turns / 1_000, "us")


def _close(found: SectionReport, symbols: int) -> None:
    """Measure the kernels that end a cycle, with the clearing of the other buffer."""
    with runtime_folder() as runtime, BenchMarket(runtime, symbols, 1) as bench_market:
        arrays = bench_market.market.segment.arrays

        def close() -> None:
            close_cycle(arrays.control, arrays.cycles, 0, 1)
            open_next(arrays.control, arrays.flags, 0)

        found.at_most(f"close of a cycle at {symbols:,} symbols", per_call_ns(close, 500) / 1_000, 10.0, "us")


def _read(found: SectionReport) -> None:
    """Measure 250 of 5,000 symbols: from the flags to copies of the rows."""
    with runtime_folder() as runtime, BenchMarket(runtime, 5_000) as bench_market:
        bench_market.tick(np.arange(5_000))
        bench_market.swap()
        reader = ChannelReader(bench_market.segment, 0, np.ones(5_000, np.uint8))
        rows = RowReader(bench_market.segment, 0, None, 1_024)
        everyone = reader.take(*reader.observe())
        for start in range(0, 5_000, 1_000):
            copies = rows.read(everyone.slots[start : start + 1_000])
            reader.commit(everyone, copies.slots, copies.versions, False)
        bench_market.tick(bench_market.activity.distinct(250))
        bench_market.swap()
        observed = reader.observe()
        words = bench_market.segment.arrays.flags[0, observed[0] % 2]
        tickers = bench_market.segment.arrays.ticker_words

        def ours() -> int:
            return len(rows.read(reader.take(*observed).slots).slots)

        def plain() -> int:
            slots = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
            return len(tickers[slots])

        if ours() != 250 or plain() != 250:
            raise AssertionError("both sides must find the 250 flagged symbols")
        taken = per_call_beside_ns({"ours": ours, "plain": plain}, 500)
        world_words = reader.take(*observed)
        read_only = per_call_ns(lambda: rows.read(world_words.slots), 500)
    found.at_most("flagged slots and copies of their rows, 250 of 5,000", taken["ours"] / 1_000, 10.0, "us")
    found.plainly("of this the copies, each under its seqlock", read_only / 1_000, "us")
    found.plainly("plain numpy, without looking whether a row was torn", taken["plain"] / 1_000, "us")
