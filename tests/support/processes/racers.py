"""What the processes of the race tests do. Each calls `barrier` when all that it needs is loaded and compiled."""

import mmap
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.markets.markets import MINUTE, NOON, swap, tick_batch
from tests.support.processes.processes import barrier
from tests.support.processes.waiting import WITHIN_S, allowed_s
from tests.support.stand_ins.bit_set import BitSet
from tickflag.common.protocol.fast_path import FastPath
from tickflag.common.protocol.reader import ChannelReader, Route
from tickflag.common.protocol.rows import CandleWish, RowReader, Rows
from tickflag.common.runtime import Runtime
from tickflag.common.segment.layout import CANDLE_FIELDS, CLOSED, HEARTBEAT, flag_words
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.market import MarketWriter

DEPTH = 8
OVER = -1  # the heartbeat of a writer that has finished


def runtime_of(folder: str) -> Runtime:
    """The runtime folder that the test made."""
    path = Path(folder)
    return Runtime(path.parent, path.name)


def _market(segment_path: str) -> MarketWriter:
    """The writer's side of a published segment, in a process that did not make it."""
    path = Path(segment_path)
    with Segment.attach(path) as attached:
        plan, generation = attached.layout, attached.generation
    with path.open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), plan.total_bytes)
    return MarketWriter(Segment(path, mapping, plan, generation, 0), 0, 0)


# --- rows: every field of a row carries the same value


def repeat_values(segment_path: str, slots: int, rounds: int) -> int:
    """Write rows whose fields all carry the round's number; every round closes a candle of the round before.

    The price is the number; the event time is that many minutes after noon.
    """
    market = _market(segment_path)
    numbers = list(range(slots))
    batches = [_same(numbers, value) for value in range(1, rounds + 1)]
    market.apply(batches[0], 1)
    barrier()
    for batch in batches[1:]:
        market.apply(batch, 1)
    market.beat(OVER)
    return rounds


def _same(slots: list[int], value: int) -> Any:
    number = float(value)
    return tick_batch(
        slots, [number] * len(slots), NOON + value * MINUTE, number, recv_ns=value, status=value,
        bid=number, ask=number, bid_size=number, ask_size=number,
        open_24h=number, high_24h=number, low_24h=number, volume_24h=number,
    )  # fmt: skip


_ALIKE = ("last", "bid", "ask", "last_size", "bid_size", "ask_size",
          "open_24h", "high_24h", "low_24h", "volume_24h", "recv_ns", "status")  # fmt: skip


def copy_values(segment_path: str, slots: int, candles: bool) -> dict[str, int]:
    """Copy all rows, to a chunk and to a mirror in turn, until the writer has finished.

    Raises AssertionError at the first row that mixes rounds or goes back.
    """
    segment = Segment.attach(Path(segment_path))
    wish = CandleWish(0, 5, tuple(range(len(CANDLE_FIELDS))), True) if candles else None
    chunk, mirror = (RowReader(segment, 0, wish, slots, mirrored) for mirrored in (False, True))
    wanted = np.arange(slots, dtype=np.int32)
    former = np.zeros(slots)
    failed = moved = 0
    chunk.read(wanted[:0])  # compiled or loaded before the start
    barrier()
    over, deadline = False, time.monotonic() + allowed_s(WITHIN_S)
    while not over:
        assert time.monotonic() < deadline
        over = segment.arrays.living[HEARTBEAT] == OVER
        rows = chunk.read(wanted)
        values = rows.tickers["last"]
        _assert_alike(rows)
        assert (values >= former[rows.slots]).all(), "a row went back"
        moved += int((values > former[rows.slots]).sum())
        former[rows.slots] = values
        failed += rows.failed
        failed += mirror.read(wanted).failed
        rows = mirror.mirrored(slots)
        _assert_alike(rows)
        assert (rows.tickers["last"] >= former).all() or failed, "a row went back"
    return {"failed": failed, "moved": moved, "last": int(np.min(former))}


def _assert_alike(rows: Rows) -> None:
    """All fields of a row carry its round's number; its candles are those of this round and of earlier ones."""
    values = rows.tickers["last"]
    if np.isnan(values).any():  # in a mirror, a row that could not be read yet
        return
    for field in _ALIKE:
        assert (rows.tickers[field] == values).all(), f"{field}: {rows.tickers}"
    assert (rows.tickers["event_ns"] == NOON + values * MINUTE).all(), f"event_ns: {rows.tickers}"
    if rows.candles is None:
        return
    look_back = rows.candles.shape[2]
    expected = values[:, None] - np.arange(look_back - 1, -1, -1)
    young = expected < 1
    wanted = {"time": NOON // NS_PER_S + 60 * expected, "trades": np.ones_like(expected)}
    for number, field in enumerate(CANDLE_FIELDS):
        right = rows.candles[number] == wanted.get(field, expected)
        assert np.where(young, np.isnan(rows.candles[number]), right).all(), f"{field}: {rows.candles[number]}"


# --- flags


def change_bits(path: str, size: int, number: int, racers: int, rounds: int) -> dict[str, int]:
    """Race for the first `size` of twice `size` bits, and change bits of this racer's own among the others.

    All racers set each bit of the first half. Of the second half, each racer sets and clears every `racers`-th bit and
    leaves every other one of these set; bits of all racers share their words.
    """
    descriptor = os.open(path, os.O_RDWR)
    words = np.frombuffer(mmap.mmap(descriptor, 4 * flag_words(2 * size)), np.uint32)
    os.close(descriptor)
    bits = BitSet(2 * size, words)
    BitSet(1).set(0)  # compiled or loaded before the start
    BitSet(1).clear(0)
    mine = range(size + number, 2 * size, racers)
    barrier()
    claimed = sum(bits.set(bit) for bit in range(size))
    wrong = 0
    for _ in range(rounds):
        wrong += sum(not bits.set(bit) for bit in mine)
        wrong += sum(not bits.clear(bit) for bit in mine)
    for bit in mine[::2]:
        bits.set(bit)
    return {"claimed": claimed, "wrong": wrong, "left": len(mine[::2])}


# --- swaps: round r updates a known set of symbols at price r and is cycle r


def schedule(slots: int, rounds: int, seed: int) -> npt.NDArray[np.bool_]:
    """(round, slot): who is updated; at least one symbol in each round."""
    random = np.random.default_rng(seed)
    chosen = random.random((rounds, slots)) < 0.05
    chosen[np.arange(rounds), random.integers(0, slots, rounds)] = True
    return chosen


def swap_rounds(segment_path: str, slots: int, rounds: int, seed: int) -> list[int]:
    """Update and swap, first as fast as possible, then with random pauses, at last so slowly that readers can keep up.

    Gives the final versions.
    """
    market = _market(segment_path)
    chosen = schedule(slots, rounds, seed)
    batches = [
        tick_batch(numbers := np.flatnonzero(row).tolist(), [float(r)] * len(numbers), NOON)
        for r, row in enumerate(chosen, start=1)
    ]
    pauses_ns = np.random.default_rng(seed + 1).integers(0, 200_000, rounds)
    pauses_ns[: rounds // 2] = 0
    pauses_ns[-200:] *= 30
    market.apply(batches[0], 1)
    swap(market)
    barrier()
    for batch, pause_ns in zip(batches[1:], pauses_ns[1:].tolist(), strict=True):
        market.apply(batch, 1)
        [event] = swap(market)
        until = time.perf_counter_ns() + pause_ns
        if pause_ns > 200_000:  # a pause in which readers are to keep up: leave them the processor
            time.sleep(pause_ns / 1e9)
        while time.perf_counter_ns() < until:
            pass
    assert event.cycle == rounds
    market.beat(OVER)
    return [int(version) for version in market.segment.arrays.versions[:slots]]


def follow_rounds(segment_path: str, slots: int, rounds: int, seed: int, number: int) -> dict[str, Any]:
    """Take and commit until the writer has finished; some cycles fail, some process everything.

    After each commit every symbol is at least as new as the last round announced up to `done` made it.
    """
    segment = Segment.attach(Path(segment_path))
    reader = ChannelReader(segment, 0, np.ones(segment.layout.capacity, np.uint8))
    rows = RowReader(segment, 0, None, segment.layout.capacity)
    announced = np.zeros((rounds + 1, slots))
    np.maximum.accumulate(schedule(slots, rounds, seed) * np.arange(1.0, rounds + 1)[:, None], out=announced[1:])
    fate = np.random.default_rng(seed + 2 + number)
    prices = np.zeros(slots)
    counts = dict.fromkeys((route.value for route in Route), 0)
    unconserved = 0
    rows.read(reader.take(*reader.observe()).slots)  # compiled or loaded before the start
    reader.oldest_ns(reader.take(*reader.observe()))
    fast_path = FastPath(reader, rows)
    fast_path.take(slots)
    barrier()
    over, done, deadline = False, 0, time.monotonic() + allowed_s(WITHIN_S)
    while not over or reader.pending():
        assert time.monotonic() < deadline
        over = over or segment.arrays.living[HEARTBEAT] == OVER
        chance = fate.random()
        taken = fast_path.take(slots) if 0.02 < chance < 0.5 else None
        if taken is None:
            take = reader.take(*reader.observe(), everything=chance < 0.02)
            copy = rows.read(take.slots)
        else:
            take, copy, _ = taken
        if chance > 0.95 and not over:
            reader.require_exact()  # a failed cycle
            continue
        reader.commit(take, copy.slots, copy.versions, copy.failed > 0)
        counts[take.route.value] += 1
        unconserved += take.flagged != len(copy.slots) + take.already_seen + take.not_watched + copy.failed
        assert done <= reader.done <= segment.arrays.control[CLOSED], "CursorClosed"
        done = reader.done
        assert (copy.tickers["last"] >= prices[copy.slots]).all(), "a row went back"
        prices[copy.slots] = copy.tickers["last"]
        if not copy.failed:
            late = prices < announced[done]
            assert not late.any(), f"NoLostUpdate: cycle {done}, slots {np.flatnonzero(late).tolist()}"
    return {"seen": reader.seen[:slots].tolist(), "done": done, "routes": counts, "unconserved": unconserved}
