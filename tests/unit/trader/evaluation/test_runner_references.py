"""References: when one changes, all watched symbols are evaluated with it, and no change of a reference is lost."""

from typing import Any

import numpy as np
import pytest

from tests.support.harnesses.runner_harness import RunnerHarness, vectorised
from tests.support.markets.markets import MINUTE, NOON, swap, tick_batch
from tickflag import Market as Shown
from tickflag.common.errors import PluginError
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter


class Beats:
    """A rule that matches where the price is above that of the leader, S0; without a leader nothing matches. It
    remembers its calls."""

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
def harness(segment: Segment, rule: Beats) -> RunnerHarness:
    """Watches S1 to S9 and looks at S0."""
    return RunnerHarness(segment, vectorised(rule, scope="references", references=["S0"], watch=["S[1-9]"]))


def _trade(market: MarketWriter, prices: dict[int, float]) -> None:
    market.apply(tick_batch(list(prices), list(prices.values())), 1)
    swap(market)


def test_a_change_of_a_reference_concerns_all(market: MarketWriter, harness: RunnerHarness, rule: Beats) -> None:
    """A reference need not be watched. A change of another symbol concerns that symbol only, or none."""
    _trade(market, {0: 5.0, 1: 4.0, 2: 6.0})
    harness.step()
    assert (rule.take(), harness.view.matches) == ([["S1", "S2"]], {"S2": 1.0})
    _trade(market, {0: 3.0})
    harness.step()
    assert (rule.take(), harness.view.matches) == ([["S1", "S2"]], {"S1": 1.0, "S2": 1.0})
    _trade(market, {2: 2.0})
    harness.step()
    assert (rule.take(), harness.view.matches) == ([["S2"]], {"S1": 1.0})
    _trade(market, {50: 2.0})
    harness.step()
    assert rule.take() == []


def test_a_reference_may_come_later(market: MarketWriter, segment: Segment, rule: Beats) -> None:
    """A reference is None until it has data, also where not even its name is known; when it comes, all are
    evaluated."""
    harness = RunnerHarness(segment, vectorised(rule, scope="references", references=["LATE", "S0"], watch=["S[1-9]"]))
    _trade(market, {1: 4.0})
    harness.step()
    assert (rule.take(), harness.view.matches) == ([["S1"]], {})
    _trade(market, {0: 3.0})
    harness.step()
    assert (rule.take(), harness.view.matches) == ([["S1"]], {"S1": 1.0})
    _trade(market, {market.slot("LATE"): 3.0})
    harness.step()
    assert rule.take() == [["S1"]]


def test_the_references_candles(market: MarketWriter, segment: Segment) -> None:
    """The references have the candles that the trader declares; on the channel of an interval, a close is the
    change."""
    seen: list[list[float]] = []

    def rule(shown: Shown) -> Any:
        leader = shown.reference("S0")
        seen.append([] if leader is None else leader.candles.close.tolist())
        return np.ones(len(shown), bool)

    declaration: dict[str, Any] = {"channel": "1m", "candles": "1m", "look_back": 1, "columns": ("close",)}
    harness = RunnerHarness(
        segment, vectorised(rule, scope="references", references=["S0"], watch=["S1"], **declaration)
    )
    for minute in range(3):
        market.apply(tick_batch([1, 0], [1.0, 10.0 + minute], NOON + minute * MINUTE), 1)
        swap(market)
        if harness.runner.pending(NOON):
            harness.step()
    assert seen == [[10.0], [11.0]]


def test_a_failed_cycle_owes_the_change(market: MarketWriter, harness: RunnerHarness, rule: Beats) -> None:
    """The step that succeeds evaluates all symbols."""
    _trade(market, {0: 5.0, 1: 4.0, 2: 6.0})
    harness.step()
    rule.fails = True
    _trade(market, {0: 3.0})
    with pytest.raises(PluginError, match="ValueError: now"):
        harness.step()
    harness.runner.fail()
    rule.fails = False
    rule.take()
    harness.step()
    assert (rule.take(), harness.view.matches) == ([["S1", "S2"]], {"S1": 1.0, "S2": 1.0})


def test_a_locked_reference(market: MarketWriter, harness: RunnerHarness, rule: Beats) -> None:
    """The step is made again soon. Until then nothing is evaluated, and nothing counts as covered."""
    _trade(market, {0: 5.0, 1: 4.0})
    harness.step()
    rule.take()
    _trade(market, {0: 3.0})
    market.segment.arrays.versions[0] += 1
    for _ in range(2):
        assert harness.step() is None
        assert (rule.take(), harness.runner.done, harness.runner.owes_exact) == ([], 1, True)
        assert harness.runner.pending(NOON)
    market.segment.arrays.versions[0] += 1
    harness.step()
    assert (rule.take(), harness.view.matches) == ([["S1"]], {"S1": 1.0})
    assert not harness.runner.pending(NOON)


def test_a_locked_reference_that_nothing_announces(market: MarketWriter, harness: RunnerHarness) -> None:
    """A step that could not be made stays owed, though no further cycle is closed."""
    _trade(market, {0: 5.0, 1: 4.0})
    harness.step()
    harness.results.ask_snapshot(1)
    market.segment.arrays.versions[0] += 1
    assert harness.step() is not None  # the snapshot needs no reference
    assert harness.runner.pending(NOON)
    market.segment.arrays.versions[0] += 1
    harness.step()
    assert not harness.runner.pending(NOON)


def test_a_change_while_the_step_begins(
    market: MarketWriter, harness: RunnerHarness, rule: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step has seen whatever it counts as covered: a reference that changes right before is seen with that change."""
    _trade(market, {0: 5.0, 1: 4.0})
    harness.step()
    reader = harness.runner._reader
    observe = reader.observe

    def changed() -> tuple[int, int]:
        _trade(market, {0: 3.0})
        return observe()

    _trade(market, {2: 1.0})
    with monkeypatch.context() as patch:
        patch.setattr(reader, "observe", changed)
        harness.step()
    while harness.runner.pending(NOON):
        harness.step()
    assert harness.view.matches == {"S1": 1.0}


def test_a_row_that_is_locked_meanwhile(market: MarketWriter, segment: Segment, rule: Beats) -> None:
    """The evaluation stays owed, though no candle of the symbol closes any more, for as long as the row cannot be
    read."""
    declaration: dict[str, Any] = {"channel": "1m", "candles": "1m", "look_back": 1, "columns": ("close",)}
    harness = RunnerHarness(
        segment, vectorised(rule, scope="references", references=["S0"], watch=["S[1-9]"], **declaration)
    )
    for minute, leader in enumerate((5.0, 3.0)):
        market.apply(tick_batch([0, 1, 2], [leader, 4.0, 6.0], NOON + minute * MINUTE), 1)
    swap(market)
    harness.step()
    rule.take()
    assert harness.view.matches == {"S1": 1.0, "S2": 1.0}
    market.apply(tick_batch([0], [7.0], NOON + 2 * MINUTE), 1)
    swap(market)
    market.segment.arrays.versions[1] += 1
    for asked in ([["S2"]], []):
        harness.step()
        assert (rule.take(), harness.runner.owes_exact) == (asked, True)
    market.segment.arrays.versions[1] += 1
    harness.step()
    assert (rule.take(), harness.view.matches, harness.runner.owes_exact) == ([["S1"]], {}, False)
    assert not harness.runner.pending(NOON)
    market.apply(tick_batch([2], [6.0], NOON + 2 * MINUTE), 1)
    swap(market)
    harness.step()
    assert rule.take() == [["S2"]]
