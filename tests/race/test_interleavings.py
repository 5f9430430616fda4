"""The real writer and a real reader, led step by step: wherever either of them is held up, nothing is lost.

The reader takes some steps of its pass, the writer some of its work; then the reader ends its pass and the writer its
work. All pairs of steps are tried.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

import tickflag.common.protocol.cycles
import tickflag.common.protocol.rows
import tickflag.common.segment.bitset
import tickflag.common.segment.symbols
from tests.support.markets.markets import open_market, tick_batch
from tests.support.processes.stepped_threads import SteppedThread, led_accesses
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.protocol.fast_path import FastPath
from tickflag.common.protocol.reader import ChannelReader, Route
from tickflag.common.protocol.rows import RowReader
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.services.feed.market.market import MarketWriter

CAPACITY = 3
OLD, OTHER = 0, 1  # slots
NAMES = ["S0", "S1", "S2"]  # S2 is named during a test


@dataclass
class FeedAndReader:
    """A feed, and one trader that has seen every announced update but those of the last cycle."""

    market: MarketWriter
    segment: Segment
    fast_path: bool
    announced: dict[int, list[int]] = field(default_factory=dict)
    """Cycle -> versions of the rows at its close."""
    commits: list[tuple[int, list[int], set[int]]] = field(default_factory=list)
    """(done, versions seen, slots that were locked and are owed) right after each commit."""
    routes: set[Route] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.watched = np.ones(CAPACITY, np.uint8)
        self.reader = ChannelReader(self.segment, 0, self.watched)
        self.rows = RowReader(self.segment, 0, None, CAPACITY)
        self.taker = FastPath(self.reader, self.rows)
        self.directory = SymbolDirectory(self.segment)
        self.trade(OLD)
        self.trade(OTHER)
        self.swap()
        self.turn()
        self.trade(OLD)
        self.swap()

    def trade(self, slot: int) -> None:
        self.market.apply(tick_batch([slot], [1.0]), 1)

    def swap(self) -> None:
        self.market.swap(lambda swap: self.announced.update({swap.cycle: self.versions()}), 1)

    def versions(self) -> list[int]:
        return [int(version) for version in self.market.segment.arrays.versions]

    def turn(self) -> None:
        """One turn of the trader."""
        taken = self.taker.take(len(self.directory)) if self.fast_path else None
        if taken is not None:
            take, rows, _ = taken
        else:
            closed, count = self.reader.observe()
            take = self.reader.take(closed, self.directory.refresh(count))
            rows = self.rows.read(take.slots)
        self.routes.add(take.route)
        self.reader.commit(take, rows.slots, rows.versions, rows.failed > 0)
        owed = {int(slot) for slot in take.slots} - {int(slot) for slot in rows.slots}
        self.commits.append((self.reader.done, [int(version) for version in self.reader.seen], owed))

    def check(self) -> None:
        """NoLostUpdate and CursorClosed hold at each commit. In the end the trader knows and has seen all there is."""
        while self.reader.pending():
            self.turn()
        reached = 0
        for done, seen, owed in self.commits:
            assert reached <= done <= max(self.announced)
            reached = done
            for cycle in range(1, done + 1):
                lost = {slot for slot, version in enumerate(self.announced[cycle]) if seen[slot] < version} - owed
                assert not lost, f"announced by cycle {cycle}, unseen at a commit of {done}"
        assert self.commits[-1] == (max(self.announced), self.versions(), set())
        self.directory.refresh()
        assert self.directory.names == NAMES[: len(self.market.symbols)]


def laps(feed_and_reader: FeedAndReader) -> None:
    """Close two cycles of other symbols: the buffer that the reader reads is cleared and filled anew."""
    feed_and_reader.trade(OTHER)
    feed_and_reader.swap()
    feed_and_reader.trade(OTHER)
    feed_and_reader.swap()


def grows(feed_and_reader: FeedAndReader) -> None:
    """Name a symbol, let it trade and announce it."""
    slot = feed_and_reader.market.slot(NAMES[2])
    feed_and_reader.trade(slot)
    feed_and_reader.swap()


def trades_again(feed_and_reader: FeedAndReader) -> None:
    """Let the symbol that the reader reads trade once more."""
    feed_and_reader.trade(OLD)
    feed_and_reader.swap()


@pytest.fixture(autouse=True)
def _led() -> Iterator[None]:
    modules = (
        tickflag.common.protocol.cycles,
        tickflag.common.segment.bitset,
        tickflag.common.protocol.rows,
        tickflag.common.segment.symbols,
    )
    with plain_kernels(), led_accesses(*modules):
        yield


@contextmanager
def feed_and_reader(runtime: Runtime, fast_path: bool) -> Iterator[FeedAndReader]:
    """A feed and a reader of its own for each pair of steps."""
    with open_market(runtime, capacity=CAPACITY, depth=1, intervals_s=(60,), symbols=2) as market:
        with Segment.attach(market.segment.path) as segment:
            made = FeedAndReader(market, segment, fast_path)
            yield made
            del made
        market.segment.path.unlink()


def steps(act: Callable[[], None]) -> int:
    """How many steps `act` takes."""
    side, count = SteppedThread(act), 1
    while side.step():
        count += 1
    side.finish()
    return count


@pytest.mark.parametrize("work", [laps, grows, trades_again])
@pytest.mark.parametrize("fast_path", [False, True], ids=["step by step", "in one kernel"])
def test_held_up_anywhere_nothing_is_lost(
    runtime: Runtime, work: Callable[[FeedAndReader], None], fast_path: bool
) -> None:
    """NoLostUpdate and CursorClosed hold for each step of the reader's pass and each of the writer's work."""
    with feed_and_reader(runtime, fast_path) as one:
        reading = steps(one.turn)
    with feed_and_reader(runtime, fast_path) as one:
        writing = steps(lambda: work(one))
    routes: set[Route] = set()
    for into_turn in range(reading):
        for into_work in range(writing + 1):
            with feed_and_reader(runtime, fast_path) as one:
                reader, writer = SteppedThread(one.turn), SteppedThread(lambda one=one: work(one))  # type: ignore[misc] # a lambda's default
                for _ in range(into_turn):
                    reader.step()
                for _ in range(into_work):
                    writer.step()
                reader.finish()
                writer.finish()
                one.check()
                routes |= one.routes
    assert {Route.FAST, Route.EXACT} <= routes
