"""References: when one changes, all watched symbols are evaluated with it, and no change of one is lost."""

from typing import Any

import numpy as np
import pytest

from common.errors import PluginError
from common.segment import Segment
from common.traderapi import Market as Shown
from services.feed.market import Market
from tests.support.markets import MINUTE, NOON, swap, tick_batch
from tests.support.seats import Seat, vectorised


class Beats:
    """Matches where the price is above the leader's, S0; without a leader nothing does. Remembers its calls."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.fails = False

    def __call__(self, market: Shown) -> Any:
        self.asked.append(market.symbols)
        if self.fails:
            raise ValueError("now")
        leader = market.reference("S0")
        return np.zeros(len(market), bool) if leader is None else market.last > leader.last

    def take(self) -> list[list[str]]:
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def rule() -> Beats:
    return Beats()


@pytest.fixture
def seat(segment: Segment, rule: Beats) -> Seat:
    """Watches S1 to S9 and looks at S0."""
    return Seat(segment, vectorised(rule, scope="references", references=["S0"], watch=["S[1-9]"]))


def _trade(market: Market, prices: dict[int, float]) -> None:
    market.apply(tick_batch(list(prices), list(prices.values())), 1)
    swap(market)


def test_a_change_of_a_reference_concerns_all(market: Market, seat: Seat, rule: Beats) -> None:
    """It does not have to be watched; a change of another symbol concerns that one only, or none."""
    _trade(market, {0: 5.0, 1: 4.0, 2: 6.0})
    seat.step()
    assert (rule.take(), seat.view.matches) == ([["S1", "S2"]], {"S2": 1.0})
    _trade(market, {0: 3.0})
    seat.step()
    assert (rule.take(), seat.view.matches) == ([["S1", "S2"]], {"S1": 1.0, "S2": 1.0})
    _trade(market, {2: 2.0})
    seat.step()
    assert (rule.take(), seat.view.matches) == ([["S2"]], {"S1": 1.0})
    _trade(market, {50: 2.0})
    seat.step()
    assert rule.take() == []


def test_a_reference_may_come_later(market: Market, segment: Segment, rule: Beats) -> None:
    """None until it has data, also where its name is not even known; then all are evaluated."""
    seat = Seat(segment, vectorised(rule, scope="references", references=["LATE", "S0"], watch=["S[1-9]"]))
    _trade(market, {1: 4.0})
    seat.step()
    assert (rule.take(), seat.view.matches) == ([["S1"]], {})
    _trade(market, {0: 3.0})
    seat.step()
    assert (rule.take(), seat.view.matches) == ([["S1"]], {"S1": 1.0})
    _trade(market, {market.slot("LATE"): 3.0})
    seat.step()
    assert rule.take() == [["S1"]]


def test_the_references_candles(market: Market, segment: Segment) -> None:
    """They are those that the trader declares, and on an interval's channel a closed one is the change."""
    seen: list[list[float]] = []

    def rule(shown: Shown) -> Any:
        leader = shown.reference("S0")
        seen.append([] if leader is None else leader.candles.close.tolist())
        return np.ones(len(shown), bool)

    declaration: dict[str, Any] = {"channel": "1m", "candles": "1m", "look_back": 1, "columns": ("close",)}
    seat = Seat(segment, vectorised(rule, scope="references", references=["S0"], watch=["S1"], **declaration))
    for minute in range(3):
        market.apply(tick_batch([1, 0], [1.0, 10.0 + minute], NOON + minute * MINUTE), 1)
        swap(market)
        if seat.runner.pending(NOON):
            seat.step()
    assert seen == [[10.0], [11.0]]


def test_a_failed_cycle_owes_the_change(market: Market, seat: Seat, rule: Beats) -> None:
    """The step that succeeds evaluates all."""
    _trade(market, {0: 5.0, 1: 4.0, 2: 6.0})
    seat.step()
    rule.fails = True
    _trade(market, {0: 3.0})
    with pytest.raises(PluginError, match="ValueError: now"):
        seat.step()
    seat.runner.fail()
    rule.fails = False
    rule.take()
    seat.step()
    assert (rule.take(), seat.view.matches) == ([["S1", "S2"]], {"S1": 1.0, "S2": 1.0})


def test_a_locked_reference(market: Market, seat: Seat, rule: Beats) -> None:
    """The step is made again, soon; until then nothing is evaluated and nothing counts as covered."""
    _trade(market, {0: 5.0, 1: 4.0})
    seat.step()
    rule.take()
    _trade(market, {0: 3.0})
    market.segment.arrays.versions[0] += 1
    for _ in range(2):
        assert seat.step() is None
        assert (rule.take(), seat.runner.done, seat.runner.retrying) == ([], 1, True)
        assert seat.runner.pending(NOON)
    market.segment.arrays.versions[0] += 1
    seat.step()
    assert (rule.take(), seat.view.matches) == ([["S1"]], {"S1": 1.0})
    assert not seat.runner.pending(NOON)


def test_a_locked_reference_that_nothing_announces(market: Market, seat: Seat) -> None:
    """A step that could not be made is owed, though no further cycle is closed."""
    _trade(market, {0: 5.0, 1: 4.0})
    seat.step()
    seat.results.ask_snapshot(1)
    market.segment.arrays.versions[0] += 1
    assert seat.step() is not None  # the snapshot needs no reference
    assert seat.runner.pending(NOON)
    market.segment.arrays.versions[0] += 1
    seat.step()
    assert not seat.runner.pending(NOON)


def test_a_change_while_the_step_begins(
    market: Market, seat: Seat, rule: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the step counts as covered, it has seen: a reference that changes right before is seen with it."""
    _trade(market, {0: 5.0, 1: 4.0})
    seat.step()
    reader = seat.runner._reader
    observe = reader.observe

    def changed() -> tuple[int, int]:
        _trade(market, {0: 3.0})
        return observe()

    _trade(market, {2: 1.0})
    with monkeypatch.context() as patch:
        patch.setattr(reader, "observe", changed)
        seat.step()
    while seat.runner.pending(NOON):
        seat.step()
    assert seat.view.matches == {"S1": 1.0}


def test_a_row_that_is_locked_meanwhile(market: Market, segment: Segment, rule: Beats) -> None:
    """It is owed the evaluation, though no candle of it closes any more; and as long as it cannot be read."""
    declaration: dict[str, Any] = {"channel": "1m", "candles": "1m", "look_back": 1, "columns": ("close",)}
    seat = Seat(segment, vectorised(rule, scope="references", references=["S0"], watch=["S[1-9]"], **declaration))
    for minute, leader in enumerate((5.0, 3.0)):
        market.apply(tick_batch([0, 1, 2], [leader, 4.0, 6.0], NOON + minute * MINUTE), 1)
    swap(market)
    seat.step()
    rule.take()
    assert seat.view.matches == {"S1": 1.0, "S2": 1.0}
    market.apply(tick_batch([0], [7.0], NOON + 2 * MINUTE), 1)
    swap(market)
    market.segment.arrays.versions[1] += 1
    for asked in ([["S2"]], []):
        seat.step()
        assert (rule.take(), seat.runner.retrying) == (asked, True)
    market.segment.arrays.versions[1] += 1
    seat.step()
    assert (rule.take(), seat.view.matches, seat.runner.retrying) == ([["S1"]], {}, False)
    assert not seat.runner.pending(NOON)
    market.apply(tick_batch([2], [6.0], NOON + 2 * MINUTE), 1)
    swap(market)
    seat.step()
    assert rule.take() == [["S2"]]
