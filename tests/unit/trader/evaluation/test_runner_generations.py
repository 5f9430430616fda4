"""A new generation of the segment: everything is dirty, and matches are stale until their symbol has data again."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from common.messages import Snapshot
from common.runtime import Runtime
from common.segment import Segment
from services.feed.growth import grown
from services.feed.market import Market
from tests.support.markets import NOON, open_market, swap, tick_batch
from tests.support.seats import Rule, Seat, vectorised

HIGH, LOW = 20.0, 5.0


def _trade(market: Market, names: dict[str, float]) -> None:
    slots = [market.slot(name) for name in names]
    market.apply(tick_batch(slots, list(names.values()), NOON), 1)
    swap(market)


@pytest.fixture
def old(runtime: Runtime) -> Iterator[Market]:
    """A feed's first life: A and B match, C does not."""
    with open_market(runtime) as market:
        _trade(market, {"A": HIGH, "B": 25.0, "C": LOW})
        yield market


@pytest.fixture
def new(runtime: Runtime, old: Market) -> Iterator[Market]:
    """Its next life, in which nothing happened yet."""
    with open_market(runtime, capacity=50) as market:
        yield market


@pytest.fixture(params=["symbol", "market"])
def seat(request: pytest.FixtureRequest, old: Market) -> Seat:
    """A trader that followed the first life, of either scope."""
    with Segment.attach(old.segment.path) as segment:
        seat = Seat(segment, vectorised(Rule(), scope=request.param))
        seat.step()
        assert seat.view.matches == {"A": HIGH, "B": 25.0}
        return seat


@pytest.fixture
def segment(new: Market) -> Iterator[Segment]:
    with Segment.attach(new.segment.path) as segment:
        yield segment


def test_matches_stay_and_are_stale(new: Market, segment: Segment, seat: Seat) -> None:
    """A feed that starts anew knows nothing: that is no reason for a match to leave."""
    seat.move(segment)
    assert seat.runner.pending(NOON)
    seat.step()
    assert seat.view.matches == seat.matches.scores() == {"A": HIGH, "B": 25.0}
    assert seat.matches.stale == {"A", "B"}


def test_each_is_live_again_with_its_symbols_data(new: Market, segment: Segment, seat: Seat) -> None:
    """A snapshot says so; it leaves where the data says that, and no match of another symbol is touched."""
    new.slot("X")  # so that every slot means another symbol
    seat.move(segment)
    _trade(new, {"B": 25.0, "X": 30.0})
    result = seat.step()
    assert isinstance(result, Snapshot)
    assert (result.matches, result.stale) == ({"A": HIGH, "B": 25.0, "X": 30.0}, ["A"])
    _trade(new, {"A": LOW})
    result = seat.step()
    assert isinstance(result, Snapshot)
    assert (result.matches, result.stale) == ({"B": 25.0, "X": 30.0}, [])
    assert seat.view.matches == seat.matches.scores()
    assert [(draft.symbol, draft.event) for draft in seat.drafts] == [
        ("A", "entered"),
        ("B", "entered"),
        ("X", "entered"),
        ("A", "left"),
    ]


def test_a_symbol_that_is_named_and_holds_no_data_is_stale(new: Market, segment: Segment, seat: Seat) -> None:
    """Its slot alone tells nothing of it, whatever else is traded."""
    for name in ("A", "B"):
        new.slot(name)
    seat.move(segment)
    _trade(new, {"C": LOW})
    seat.step()
    assert seat.view.matches == {"A": HIGH, "B": 25.0}
    assert seat.matches.stale == {"A", "B"}


def test_growth_is_a_generation_that_knows_all(runtime: Runtime, old: Market, seat: Seat) -> None:
    """Rows are copied before anyone sees them: the first step finds every symbol, and nothing is stale after it."""
    larger = grown(old, runtime)
    larger.segment.publish(runtime)
    with Segment.attach_current(runtime) as segment:
        seat.move(segment)
        _trade(larger, {"B": LOW, "D": HIGH})
        seat.step()
        assert seat.view.matches == {"A": HIGH, "D": HIGH}
        assert seat.matches.stale == set()
    larger.segment.close()


def test_the_numbers_go_on(new: Market, segment: Segment, seat: Seat) -> None:
    """Sequence numbers and counters belong to the trader, cycles to the generation."""
    seat.move(segment)
    cycles = seat.tally.cycles
    _trade(new, {"A": 21.0})
    result = seat.step()
    assert result is not None
    assert (result.seq, result.cycle, seat.tally.cycles) == (2, 1, cycles + 1)


def test_look_back_after_a_new_generation(runtime: Runtime, old: Market) -> None:
    """Candles come from the new segment; nothing of the old mirror is left."""
    seen: list[Any] = []

    def rule(m: Any) -> Any:
        seen.append(m.last.tolist())
        return np.zeros(len(m), bool)

    with Segment.attach(old.segment.path) as segment:
        seat = Seat(segment, vectorised(rule, scope="market"))
        seat.step()
    with open_market(runtime) as market, Segment.attach(market.segment.path) as segment:
        seat.move(segment)
        _trade(market, {"C": LOW, "A": HIGH})
        seat.step()
    assert seen == [[HIGH, 25.0, LOW], [LOW, HIGH]]
