"""The real writer and a real reader, led step by step: wherever either of them is held up, nothing is lost.

The reader goes some steps into its turn, the writer some into its work, then the reader ends its turn and the writer
its work. All pairs of places are tried.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

import common.bitset
import common.rows
import common.swap
import common.symbols
import services.feed.kernels
from common.intake import Intake
from common.rows import RowReader
from common.runtime import Runtime
from common.segment import Segment
from common.swap import ChannelReader, Route
from common.symbols import SymbolDirectory
from services.feed.market import Market
from tests.support.kernels import plain_kernels
from tests.support.markets import open_market, tick_batch
from tests.support.turns import Side, led_accesses

CAPACITY = 3
OLD, OTHER = 0, 1  # slots
NAMES = ["S0", "S1", "S2"]  # the last one comes later


@dataclass
class World:
    """A feed and one trader that has seen every announced update but those of the last cycle."""

    market: Market
    segment: Segment
    intake: bool
    announced: dict[int, list[int]] = field(default_factory=dict)
    """Cycle -> versions of the rows when it was closed."""
    commits: list[tuple[int, list[int], set[int]]] = field(default_factory=list)
    """(done, versions seen, slots that were locked and are owed) right after each."""
    routes: set[Route] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.watched = np.ones(CAPACITY, np.uint8)
        self.reader = ChannelReader(self.segment, 0, self.watched)
        self.rows = RowReader(self.segment, 0, None, CAPACITY)
        self.taker = Intake(self.reader, self.rows)
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
        taken = self.taker.take(len(self.directory)) if self.intake else None
        if taken is not None:
            take, rows = taken
        else:
            closed, count = self.reader.observe()
            take = self.reader.take(closed, self.directory.refresh(count))
            rows = self.rows.read(take.slots)
        self.routes.add(take.route)
        self.reader.commit(take, rows.slots, rows.versions, rows.failed > 0)
        owed = {int(slot) for slot in take.slots} - {int(slot) for slot in rows.slots}
        self.commits.append((self.reader.done, [int(version) for version in self.reader.seen], owed))

    def check(self) -> None:
        """NoLostUpdate and CursorClosed at each commit; in the end the trader knows and has seen all there is."""
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


def laps(world: World) -> None:
    """Two cycles of other symbols: the buffer that the reader looks at is cleared and filled anew."""
    world.trade(OTHER)
    world.swap()
    world.trade(OTHER)
    world.swap()


def grows(world: World) -> None:
    """A symbol is named, trades and is announced."""
    slot = world.market.slot(NAMES[2])
    world.trade(slot)
    world.swap()


def trades_again(world: World) -> None:
    """The symbol that the reader reads trades once more."""
    world.trade(OLD)
    world.swap()


@pytest.fixture(autouse=True)
def _led() -> Iterator[None]:
    modules = (common.swap, common.bitset, common.rows, common.symbols, services.feed.kernels)
    with plain_kernels(), led_accesses(*modules):
        yield


@contextmanager
def world(runtime: Runtime, intake: bool) -> Iterator[World]:
    """A world of its own for each pair of places."""
    with open_market(runtime, capacity=CAPACITY, depth=1, intervals_s=(60,), symbols=2) as market:
        with Segment.attach(market.segment.path) as segment:
            made = World(market, segment, intake)
            yield made
            del made
        market.segment.path.unlink()


def steps(act: Callable[[], None]) -> int:
    """How many steps it takes."""
    side, count = Side(act), 1
    while side.step():
        count += 1
    side.finish()
    return count


@pytest.mark.parametrize("work", [laps, grows, trades_again])
@pytest.mark.parametrize("intake", [False, True], ids=["step by step", "in one kernel"])
def test_held_up_anywhere_nothing_is_lost(runtime: Runtime, work: Callable[[World], None], intake: bool) -> None:
    """NoLostUpdate, CursorClosed: for each place in the reader's turn and each in the writer's work."""
    with world(runtime, intake) as one:
        reading = steps(one.turn)
    with world(runtime, intake) as one:
        writing = steps(lambda: work(one))
    routes: set[Route] = set()
    for into_turn in range(reading):
        for into_work in range(writing + 1):
            with world(runtime, intake) as one:
                reader, writer = Side(one.turn), Side(lambda one=one: work(one))  # type: ignore[misc] # a lambda's default
                for _ in range(into_turn):
                    reader.step()
                for _ in range(into_work):
                    writer.step()
                reader.finish()
                writer.finish()
                one.check()
                routes |= one.routes
    assert {Route.FAST, Route.EXACT} <= routes
