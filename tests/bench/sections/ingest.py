"""Ingest: what a tick costs the feed, what closing a cycle costs, and what reading the changed rows costs."""

import statistics

import numpy as np

from common.bitset import BitSet
from common.rows import RowReader
from common.swap import ChannelReader, close_cycle, open_next
from services.feed.updates import Batch
from tests.bench.options import Options
from tests.bench.report import Findings, Table
from tests.bench.timing import cpu_ns, in_turn, per_call_beside_ns, per_call_ns
from tests.bench.world import DEFAULT_INTERVALS_S, NS, Activity, World, runtime_folder

BATCH = 4_096
TICKS_A_SECOND = 100_000


def run(options: Options) -> Findings:
    found = Findings("ingest")
    large = 20_000 if options.quick else 100_000
    _ticks(found, options, 5_000, 100, 60.0)
    _ticks(found, options, large, 10, 120.0)
    _batch_sizes(found, options)
    _close(found, large)
    _read(found)
    return found


def _batches(activity: Activity, count: int, size: int, quotes: bool) -> list[Batch]:
    """Ticks of a busy market: Zipf activity, event times that move on."""
    batches = []
    for number in range(count):
        first_ns = 1_700_049_600 * NS + number * size * NS // TICKS_A_SECOND
        rows = activity.trades(activity.zipf(size), first_ns + np.arange(size) * (NS // TICKS_A_SECOND))
        if quotes:
            rows["qty"] = np.nan
        batches.append(Batch(rows))
    return batches


def _ticks(found: Findings, options: Options, symbols: int, depth: int, limit_ns: float) -> None:
    """Rows, versions, flags and candles; then the same with less, one after the other in each repeat."""
    count = 24 if options.quick else 200
    with runtime_folder() as runtime:
        worlds = {
            "default candles": World(runtime, symbols, depth),
            "default candles, rate limit 100 ms": World(runtime, symbols, depth, rate_limit_ns=NS // 10),
            "candles from the source": World(runtime, symbols, 1, native_s=DEFAULT_INTERVALS_S),
            "quotes only": World(runtime, symbols, 1),
        }
        activity = Activity(symbols)
        trades, quotes = _batches(activity, count, BATCH, False), _batches(activity, count, BATCH, True)
        hot = np.empty_like(trades[0].rows)
        batch = Batch(hot)
        times: dict[str, list[int]] = {name: [] for name in worlds}
        for number in range(count):
            for name in in_turn(list(worlds), number):
                market = worlds[name].market
                hot[:] = (quotes if name == "quotes only" else trades)[number].rows  # a source has just written it
                now_ns = NS + number * BATCH * NS // TICKS_A_SECOND
                times[name].append(cpu_ns(market.apply, batch, now_ns))
                worlds[name].swap()
        per_tick = {name: statistics.median(values[count // 4 :]) / BATCH for name, values in times.items()}
        for world in worlds.values():
            world.close()
    name = f"tick at {symbols:,} symbols, depth {depth}, 4 candle intervals"
    found.at_most(name, per_tick["default candles"], limit_ns, "ns", f"batches of {BATCH:,}, Zipf")
    rows = [[name, value] for name, value in per_tick.items()]
    found.tables.append(Table(f"a tick at {symbols:,} symbols", ["what the feed keeps", "ns"], rows))


def _batch_sizes(found: Findings, options: Options) -> None:
    """The fixed cost of a batch shows where it is small."""
    total = 2_048 if options.quick else 16_384
    rows = []
    with runtime_folder() as runtime, World(runtime, 5_000) as world:
        for size in (1, 4, 16, 64, 256, 1_024):
            batches = _batches(world.activity, total // size, size, False)
            hot = np.empty_like(batches[0].rows)
            taken = []
            for batch in batches:
                hot[:] = batch.rows
                taken.append(cpu_ns(world.apply, hot))
            rows.append([size, statistics.median(taken) / 1_000, statistics.median(taken) / size])
            world.swap()

        def turn() -> None:
            world.apply(hot[:1])
            world.swap()

        turns = per_call_ns(turn, 200)
    found.tables.append(Table("small batches at 5,000 symbols", ["ticks in a batch", "us a batch", "ns a tick"], rows))
    found.plainly("a single tick and its swap, without sending", turns / 1_000, "us")


def _close(found: Findings, symbols: int) -> None:
    """The kernels that end a cycle, clearing of the other buffer included."""
    with runtime_folder() as runtime, World(runtime, symbols, 1) as world:
        arrays = world.market.segment.arrays

        def close() -> None:
            close_cycle(arrays.control, arrays.cycles, 0, 1)
            open_next(arrays.control, arrays.flags, 0)

        found.at_most(f"close of a cycle at {symbols:,} symbols", per_call_ns(close, 500) / 1_000, 10.0, "us")


def _read(found: Findings) -> None:
    """250 of 5,000 symbols: from the flags to copies of the rows."""
    with runtime_folder() as runtime, World(runtime, 5_000) as world:
        world.tick(np.arange(5_000))
        world.swap()
        reader = ChannelReader(world.segment, 0, np.ones(5_000, np.uint8))
        rows = RowReader(world.segment, 0, None, 1_024)
        everyone = reader.take(*reader.observe())
        for start in range(0, 5_000, 1_000):
            copies = rows.read(everyone.slots[start : start + 1_000])
            reader.commit(everyone, copies.slots, copies.versions, False)
        world.tick(world.activity.distinct(250))
        world.swap()
        observed = reader.observe()
        words = BitSet(5_000, world.segment.arrays.flags[0, observed[0] % 2]).words
        tickers = world.segment.arrays.ticker_words

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
