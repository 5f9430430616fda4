"""A trader with scope `market`: it sees every row whenever any changed, from a mirror of its own."""

from typing import Any

import numpy as np
import pytest

from tests.support.harnesses.runner_harness import PriceRule, RunnerHarness, vectorised
from tests.support.markets.markets import NOON, swap, tick_batch
from tickflag.common.errors import PluginError
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.market import MarketWriter


def _trade(market: MarketWriter, prices: dict[int, float]) -> None:
    market.apply(tick_batch(list(prices), list(prices.values()), NOON), 1)


class TopTwo:
    """The two highest prices; remembers the prices it saw."""

    def __init__(self) -> None:
        self.seen: list[dict[str, float]] = []

    def __call__(self, market: Any) -> Any:
        shown = dict(zip(market.symbols, market.last.tolist(), strict=True))
        self.seen.append({name: price for name, price in shown.items() if price == price})
        scores = np.full(len(market), np.nan)
        known = np.flatnonzero(~np.isnan(market.last))
        best = known[np.argsort(-market.last[known], kind="stable")[:2]]
        scores[best] = market.last[best]
        return scores


@pytest.fixture
def top_two() -> TopTwo:
    return TopTwo()


@pytest.fixture
def harness(segment: Segment, top_two: TopTwo) -> RunnerHarness:
    return RunnerHarness(segment, vectorised(top_two, scope="market"), chunk=2)


def test_every_row_is_shown_whenever_one_changed(market: MarketWriter, harness: RunnerHarness, top_two: TopTwo) -> None:
    """Rows that did not change stand in the mirror as they were last read; symbols without data are unknown."""
    _trade(market, {0: 5.0, 3: 7.0, 69: 6.0})
    swap(market)
    harness.step()
    _trade(market, {0: 8.0})
    swap(market)
    harness.step()
    assert top_two.seen == [{"S0": 5.0, "S3": 7.0, "S69": 6.0}, {"S0": 8.0, "S3": 7.0, "S69": 6.0}]
    assert harness.view.matches == {"S0": 8.0, "S3": 7.0}
    assert (harness.tally.processed, harness.tally.skipped) == (6, 0)


def test_a_symbol_may_leave_though_it_did_not_change(market: MarketWriter, harness: RunnerHarness) -> None:
    """Another symbol overtook it."""
    _trade(market, {0: 5.0, 1: 6.0})
    swap(market)
    harness.step()
    _trade(market, {2: 9.0})
    swap(market)
    harness.step()
    assert harness.view.matches == {"S1": 6.0, "S2": 9.0}
    assert [(signal.symbol, signal.event) for signal in harness.signals[-2:]] == [("S0", "left"), ("S2", "entered")]


def test_the_watch_list_says_who_may_match(market: MarketWriter, segment: Segment, top_two: TopTwo) -> None:
    """All symbols are ranked; of the best, only the watched ones match."""
    harness = RunnerHarness(segment, vectorised(top_two, scope="market", watch=["S1*"]))
    _trade(market, {0: 9.0, 1: 6.0, 2: 5.0, 10: 4.0})
    swap(market)
    harness.step()
    assert harness.view.matches == {"S1": 6.0}
    assert len(top_two.seen[-1]) == 4


def test_what_does_not_trade_stays_visible_and_does_not_match(market: MarketWriter, harness: RunnerHarness) -> None:
    """A delisted symbol leaves; who follows in the ranking is up to the rule."""
    _trade(market, {0: 9.0, 1: 6.0, 2: 5.0})
    swap(market)
    harness.step()
    market.apply(tick_batch([0], [9.5], NOON, status=1), 1)
    swap(market)
    harness.step()
    assert harness.view.matches == {"S1": 6.0}


def test_a_new_symbol_takes_its_place(market: MarketWriter, harness: RunnerHarness, top_two: TopTwo) -> None:
    """A symbol first seen in the present cycle is ranked in that cycle."""
    _trade(market, {0: 5.0})
    swap(market)
    harness.step()
    _trade(market, {market.slot("NEW"): 9.0})
    swap(market)
    harness.step()
    assert top_two.seen[-1] == {"S0": 5.0, "NEW": 9.0}
    assert harness.view.matches == {"S0": 5.0, "NEW": 9.0}


def test_a_failure_leaves_the_matches_alone(market: MarketWriter, segment: Segment) -> None:
    """The mirror keeps the rows that it read before the failure; the next step ranks them all and is right."""
    rule = PriceRule()
    harness = RunnerHarness(segment, vectorised(rule, scope="market"))
    _trade(market, {0: 20.0})
    swap(market)
    harness.step()
    _trade(market, {0: 5.0, 1: 30.0})
    swap(market)
    rule.faults = [ValueError("no")]
    with pytest.raises(PluginError):
        harness.step()
    harness.runner.fail()
    assert (harness.matches.scores(), harness.runner.done) == ({"S0": 20.0}, 1)
    harness.step()
    assert harness.view.matches == {"S1": 30.0}


def test_a_wrong_answer_is_no_answer(market: MarketWriter, segment: Segment) -> None:
    """If a step after a wrong answer can read no row, it leaves the matches as they were: there is no answer to go
    by."""
    answers: list[Any] = []

    def rule(m: Any) -> Any:
        return answers.pop() if answers else (m.last > 10.0, m.last)

    harness = RunnerHarness(segment, vectorised(rule, scope="market"))
    _trade(market, {0: 20.0})
    swap(market)
    harness.step()
    _trade(market, {1: 30.0})
    swap(market)
    answers.append((np.arange(70) == 5, np.full(70, np.inf)))
    with pytest.raises(PluginError, match="infinite"):
        harness.step()
    harness.runner.fail()
    market.segment.arrays.versions[:70] |= 1
    assert harness.step() is None
    assert harness.matches.scores() == harness.view.matches == {"S0": 20.0}
    assert harness.tally.processed == 1  # the second step ranked nothing
    market.segment.arrays.versions[:70] += market.segment.arrays.versions[:70] & 1
    harness.step()
    assert harness.view.matches == {"S0": 20.0, "S1": 30.0}


def test_tracking_or_not_is_the_same(market: MarketWriter, segment: Segment) -> None:
    """A ranking by changed rows equals the ranking by all rows, cycle by cycle."""
    tracked, full = (RunnerHarness(segment, vectorised(TopTwo(), scope="market"), tracking=on) for on in (True, False))
    rng = np.random.default_rng(3)
    for cycle in range(30):
        _trade(market, {int(slot): float(rng.integers(1, 99)) for slot in rng.choice(12, 2, replace=False)})
        swap(market)
        for harness in (tracked, full):
            harness.step(NOON + cycle * NS_PER_S)
        assert tracked.view.matches == full.view.matches == tracked.matches.scores()
    assert tracked.signals == full.signals
