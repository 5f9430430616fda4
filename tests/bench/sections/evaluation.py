"""Evaluation: CPU of a trader's cycle, tracking on and off, by the number of flagged symbols and of all symbols."""

import statistics
from pathlib import Path

import numpy as np

from common import layout
from tests.bench.options import Options
from tests.bench.report import Findings, Table
from tests.bench.timing import cpu_ns, in_turn
from tests.bench.world import SHIPPED, TRADERS, Seat, World, runtime_folder

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


def run(options: Options) -> Findings:
    found = Findings("evaluation")
    with runtime_folder() as runtime, World(runtime, SYMBOLS, history=100) as world:
        for rule, (path, goal) in RULES.items():
            _rule(found, options, world, rule, path, goal)
        _chunks(found, options, world)
        _debug_ring(found, options, world)
    _growth(found, options)
    return found


def _rule(found: Findings, options: Options, world: World, rule: str, path: Path, goal: float) -> None:
    """The whole curve of one rule; targets at the quiet market, at half and at all flagged."""
    slow = rule.startswith("per-symbol")
    turn = 2 if slow and options.quick else TURN
    seats = {tracking: _settled(world, Seat(world.segment, path, tracking)) for tracking in (True, False)}
    rows = []
    for share in (QUIET, 0.5, 1.0) if options.quick else SHARES:
        flagged = max(1, round(share * SYMBOLS))
        cycles = (2 if slow else 10) if options.quick else 20 if slow else 60 if flagged > 1_000 else 120
        on, off = _cycles_ns(world, seats, flagged, cycles, turn)
        rows.append([100 * share, flagged, on / 1_000, off / 1_000, on / off, 100 * (1 - on / off)])
        if share == QUIET:
            found.at_least(f"{rule}: CPU saved, 2 % of {SYMBOLS:,} flagged", 100 * (1 - on / off), goal, "%")
        elif share == 0.5:
            found.at_most(f"{rule}: 50 % flagged, times the CPU of tracking off", on / off, 1.1, "x")
        elif share == 1.0:
            found.at_most(f"{rule}: all flagged, times the CPU of tracking off", on / off, 1.2, "x")
    columns = ["% flagged", "symbols", "tracking us", "off us", "ratio", "% saved"]
    found.tables.append(Table(f"CPU of a cycle, {SYMBOLS:,} symbols: {rule}", columns, rows))


def _chunks(found: Findings, options: Options, world: World) -> None:
    """A cycle of everything, by how many symbols are evaluated at a time; in between control messages, heartbeat and
    deadline are served."""
    rows = []
    for rule in ("RSI over 100 candles", "per-symbol Python rule"):
        path, _ = RULES[rule]
        seats = {chunk: _settled(world, Seat(world.segment, path, chunk=chunk)) for chunk in CHUNKS}
        times: dict[int, list[int]] = {chunk: [] for chunk in CHUNKS}
        for number in range(4 if options.quick else 30):
            world.tick(world.activity.distinct(SYMBOLS))
            world.swap()
            for chunk in in_turn(list(CHUNKS), number):
                times[chunk].append(cpu_ns(seats[chunk].step, world.event_ns))
        whole_us = {chunk: statistics.median(taken) / 1_000 for chunk, taken in times.items()}
        rows += [[rule, chunk, us, us * chunk / SYMBOLS] for chunk, us in whole_us.items()]
    columns = ["rule", "symbols a chunk", "cycle us", "chunk us"]
    found.tables.append(Table(f"all of {SYMBOLS:,} symbols flagged, in chunks", columns, rows))


def _settled(world: World, seat: Seat) -> Seat:
    """The seat after its first cycles: everything seen, snapshot sent."""
    for _ in range(2):
        world.tick(np.arange(len(world.activity.start)))
        world.swap()
        seat.step(world.event_ns)
    return seat


def _cycles_ns(world: World, seats: dict[bool, Seat], flagged: int, cycles: int, turn: int) -> tuple[float, float]:
    """Median CPU of a cycle with `flagged` symbols changed, tracking on and off.

    By turns of some cycles, as each has a process and its caches to itself in life; the first of a turn does not count.
    """
    times: dict[bool, list[int]] = {True: [], False: []}
    for repeat in range(max(2, cycles // turn)):
        for tracking in in_turn(list(seats), repeat):
            seat = seats[tracking]
            for number in range(turn + 1):
                world.tick(world.activity.distinct(flagged))
                world.swap()
                taken = cpu_ns(seat.step, world.event_ns)
                if number:
                    times[tracking].append(taken)
    return statistics.median(times[True]), statistics.median(times[False])


def _growth(found: Findings, options: Options) -> None:
    """250 changed symbols cost the same among few and among many."""
    large = 20_000 if options.quick else 100_000
    cycles = 10 if options.quick else 200
    paths = {"price over mean of 20": RULES["price over mean of 20"][0], "empty rule": TRADERS / "empty.py"}
    with runtime_folder() as small_folder, runtime_folder() as large_folder:
        sizes = {"small": (small_folder, SYMBOLS), "large": (large_folder, large)}
        worlds = {key: World(folder, n, 20, (60,), history=20) for key, (folder, n) in sizes.items()}
        rows = []
        growth: dict[str, float] = {}
        for rule, path in paths.items():
            seats = {key: _settled(world, Seat(world.segment, path)) for key, world in worlds.items()}
            times: dict[str, list[int]] = {key: [] for key in worlds}
            for number in range(cycles):
                for key in in_turn(list(worlds), number):
                    world, seat = worlds[key], seats[key]
                    world.tick(world.activity.distinct(250))
                    world.swap()
                    times[key].append(cpu_ns(seat.step, world.event_ns))
            small_ns, large_ns = statistics.median(times["small"]), statistics.median(times["large"])
            growth[rule] = large_ns / small_ns
            rows.append([rule, small_ns / 1_000, large_ns / 1_000, growth[rule]])
            del seats
        for world in worlds.values():
            world.close()
    found.at_most(
        f"growth of a cycle, 250 flagged of {SYMBOLS:,} and of {large:,}", growth["price over mean of 20"], 1.5, "x"
    )
    columns = ["250 flagged", f"of {SYMBOLS:,} us", f"of {large:,} us", "ratio"]
    found.tables.append(Table("growth with the number of symbols", columns, rows))


def _debug_ring(found: Findings, options: Options, world: World) -> None:
    """What writing down every update costs the feed."""
    living = world.market.segment.arrays.living
    per_tick: dict[int, list[float]] = {0: [], 1: []}
    for number in range(20 if options.quick else 100):
        rows = world.activity.trades(world.activity.zipf(4_096), world.event_ns)
        for on in in_turn([0, 1], number):
            living[layout.DEBUG_ON] = on
            per_tick[on].append(cpu_ns(world.apply, rows) / 4_096)
    living[layout.DEBUG_ON] = 0
    world.swap()
    found.plainly("a tick with the debug ring off", statistics.median(per_tick[0]), "ns")
    found.plainly("a tick with the debug ring on", statistics.median(per_tick[1]), "ns")
