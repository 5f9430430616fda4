"""Results: bytes of deltas beside full results, and the memory that tracking takes."""

from common import layout
from common.layout import CONTROL_WORDS, CYCLE_RING
from tests.bench.options import Options
from tests.bench.report import Findings, Table
from tests.bench.world import SHIPPED, Seat, World, runtime_folder

SYMBOLS = 5_000
QUIET = 100  # symbols of a cycle


def run(options: Options) -> Findings:
    found = Findings("results")
    _bytes(found, options)
    _memory(found)
    return found


def _bytes(found: Findings, options: Options) -> None:
    """The shipped traders on a quiet market, with deltas and with full results whenever something changed."""
    cycles = 30 if options.quick else 300
    rows = []
    sent = {True: 0, False: 0}
    messages = 0
    with runtime_folder() as runtime, World(runtime, SYMBOLS, history=100) as world:
        seats = {
            (path.stem, deltas): Seat(world.segment, path, deltas=deltas)
            for path in sorted(SHIPPED.glob("[a-z]*.py"))
            for deltas in (True, False)
        }
        world.tick(world.activity.distinct(SYMBOLS))
        for _ in range(cycles):
            world.tick(world.activity.distinct(QUIET), 100_000_000)
            world.swap()
            for seat in seats.values():
                seat.step(world.event_ns)
        for name in sorted({name for name, _ in seats}):
            small, full = seats[name, True].tally, seats[name, False].tally
            sent[True] += small.bytes_sent
            sent[False] += full.bytes_sent
            messages += seats[name, True].sent
            rows.append(
                [name, seats[name, True].matches.count, small.bytes_sent, full.bytes_sent, full.bytes_full,
                 100 * (1 - small.bytes_sent / full.bytes_sent)]
            )  # fmt: skip
        del seats
    saved = 100 * (1 - sent[True] / sent[False])
    found.at_least(f"results smaller than full ones, {QUIET} of {SYMBOLS:,} flagged a cycle", saved, 80.0, "%")
    columns = ["trader", "matches", "bytes of deltas", "bytes of full results", "full in every cycle", "% smaller"]
    found.tables.append(Table(f"bytes of results in {cycles} cycles, before compression", columns, rows))


def _memory(found: Findings) -> None:
    """At 4,000 symbols, all that tracking adds."""
    symbols = 4_000
    plan = layout.plan(symbols, 100, (60, 300, 900, 3_600))
    with runtime_folder() as runtime, World(runtime, symbols, 1) as world:
        arrays = world.segment.arrays
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
    found.tables.append(Table(f"memory of tracking at {symbols:,} symbols", ["", "bytes", "where"], rows))
