"""A trader's numbers: they advance once for each change of a symbol, with the cycle's commit, and go with the name."""

from typing import Any

import pytest

from common.errors import PluginError
from common.runtime import Runtime
from common.segment import Segment
from common.traderapi import Market as Shown
from common.traderapi import Symbol
from services.feed.market import Market
from services.trader.state import StateStore
from tests.support.markets import NOON, SECOND, open_market, swap, tick_batch
from tests.support.seats import Seat, per_symbol, vectorised

COUNT: dict[str, Any] = {"state": {"count": 0, "sum": 0.0}}


class Counting:
    """The score is how many changes were seen of the symbol; `sum` adds up the prices."""

    def __init__(self) -> None:
        self.fails: list[str] = []
        """Symbols whose evaluation raises, after it has set its numbers."""

    def __call__(self, market: Shown) -> Any:
        state = market.state
        state.count += 1
        state.sum += market.last
        if set(self.fails) & set(market.symbols):
            raise ValueError("now")
        return state.count.astype(float)


@pytest.fixture
def rule() -> Counting:
    return Counting()


@pytest.fixture
def seat(segment: Segment, rule: Counting) -> Seat:
    """One symbol a chunk."""
    return Seat(segment, vectorised(rule, **COUNT), chunk=1)


def _trade(market: Market, *slots: int, price: float = 1.0) -> None:
    market.apply(tick_batch(slots, [price] * len(slots)), 1)
    swap(market)


def _fails(seat: Seat) -> None:
    with pytest.raises(PluginError, match="ValueError: now"):
        seat.step()
    seat.runner.fail()


def _numbers(seat: Seat, slot: int) -> tuple[int, float]:
    """What the next evaluation of a changed row begins with."""
    assert seat.state is not None
    count, total = seat.state._after[slot].item()
    return count, total


def test_numbers_advance_with_each_change(market: Market, seat: Seat) -> None:
    """Of the symbols that changed; the others stay where they are."""
    for price, slots in ((1.0, (3, 4)), (2.0, (3,)), (4.0, (3, 5))):
        _trade(market, *slots, price=price)
        seat.step()
    assert seat.view.matches == {"S3": 3.0, "S4": 1.0, "S5": 1.0}
    assert [_numbers(seat, slot) for slot in (3, 4, 5, 6)] == [(3, 7.0), (1, 1.0), (1, 4.0), (0, 0.0)]


def test_one_by_one(market: Market, segment: Segment) -> None:
    """As single numbers of each symbol."""

    def rule(symbol: Symbol) -> Any:
        symbol.state.count += 1
        return float(symbol.state.count)

    seat = Seat(segment, per_symbol(rule, **COUNT))
    for slots in ((3, 4), (4,)):
        _trade(market, *slots)
        seat.step()
    assert seat.view.matches == {"S3": 1.0, "S4": 2.0}


@pytest.mark.parametrize("chunk", [1, 1_024])
def test_a_symbol_evaluated_again_advances_nothing(market: Market, segment: Segment, chunk: int) -> None:
    """It begins with the numbers from before its last change, so that its answer is the same."""
    seat = Seat(segment, vectorised(Counting(), **COUNT), chunk=chunk)
    for slots in ((3, 4), (4,)):
        _trade(market, *slots)
        seat.step()
    seat.runner.tracking = False
    for _ in range(2):
        _trade(market, 4)
        seat.step()
    assert seat.view.matches == {"S3": 1.0, "S4": 4.0}
    seat.runner.tracking = True
    _trade(market, 3)
    seat.step()
    assert seat.view.matches == {"S3": 2.0, "S4": 4.0}


def test_a_pass_over_everything_by_time(market: Market, segment: Segment) -> None:
    """`every` evaluates again, and advances nothing either."""
    seat = Seat(segment, vectorised(Counting(), every=1.0, **COUNT))
    _trade(market, 3)
    for second in range(3):
        seat.step(NOON + second * SECOND)
    assert (seat.view.matches, seat.tally.cycles) == ({"S3": 1.0}, 3)


def test_a_failed_cycle_leaves_all_numbers(market: Market, seat: Seat, rule: Counting) -> None:
    """Those of earlier chunks, too; and the step that succeeds begins where the last one that did ended."""
    _trade(market, 3, 4)
    seat.step()
    rule.fails = ["S4"]
    for _ in range(2):
        _trade(market, 3, 4)
        _fails(seat)
        assert [_numbers(seat, slot) for slot in (3, 4)] == [(1, 1.0), (1, 1.0)]
    rule.fails = []
    seat.step()
    assert seat.view.matches == {"S3": 2.0, "S4": 2.0}
    assert [_numbers(seat, slot) for slot in (3, 4)] == [(2, 2.0), (2, 2.0)]


def test_a_failed_pass_over_everything(market: Market, seat: Seat, rule: Counting) -> None:
    """It leaves the numbers of those that did not change as they are, too."""
    _trade(market, 3, 4)
    seat.step()
    seat.runner.tracking = False
    rule.fails = ["S4"]
    _trade(market, 4)
    _fails(seat)
    rule.fails = []
    seat.step()
    _trade(market, 3)
    seat.step()
    assert seat.view.matches == {"S3": 2.0, "S4": 2.0}


def test_numbers_go_with_the_name(runtime: Runtime, market: Market, seat: Seat) -> None:
    """To another generation, with other slots, through one in which the symbol did not appear."""
    for slots in ((3, 4), (4,)):
        _trade(market, *slots)
        seat.step()
    with open_market(runtime) as empty, Segment.attach(empty.segment.path) as segment:
        seat.move(segment)
        _trade(empty, empty.slot("NEW"))
        seat.step()
    with open_market(runtime) as other, Segment.attach(other.segment.path) as segment:
        seat.move(segment)
        _trade(other, other.slot("S4"), other.slot("NEW"))
        seat.step()
        _trade(other, other.slot("S3"))
        seat.step()
        assert seat.matches.scores() == {"S3": 2.0, "S4": 3.0, "NEW": 2.0}


def test_a_runner_to_which_no_numbers_are_given_has_its_own(market: Market, segment: Segment, seat: Seat) -> None:
    """As a replay's, which sees one generation only."""
    seat.state = None
    seat.move(segment)
    for _ in range(2):
        _trade(market, 3)
        seat.step()
    assert seat.matches.scores() == {"S3": 2.0}


def test_a_successor_gets_numbers_that_wait_for_their_symbols(runtime: Runtime, market: Market, seat: Seat) -> None:
    """Taking over when a generation has just begun, it knows those of symbols not yet seen in it, named or not."""
    _trade(market, 3, 4)
    seat.step()
    with open_market(runtime) as other, Segment.attach(other.segment.path) as segment:
        other.slot("S4")
        seat.move(segment)
        _trade(other, other.slot("X"))
        seat.step()
        assert seat.state is not None
        saved = seat.state.saved(seat.runner.versions())
        assert {name: numbers[0] for name, numbers in saved.items() if name in ("S3", "S4")} == {"S3": 0, "S4": 0}
        seat.state = StateStore(COUNT["state"])
        seat.state.restore(saved)
        seat.move(segment)
        seat.runner.resume({name: numbers[0] for name, numbers in saved.items()})
        _trade(other, other.slot("S4"), other.slot("S3"))
        seat.step()
        assert seat.matches.scores() == {"S3": 2.0, "S4": 2.0, "X": 1.0}
