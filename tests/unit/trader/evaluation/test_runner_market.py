"""A trader with scope `market`: it sees every row whenever any changed, from a mirror of its own."""

from typing import Any

import numpy as np
import pytest

from common.errors import PluginError
from common.segment import Segment
from services.feed.market import Market
from tests.support.markets import NOON, SECOND, swap, tick_batch
from tests.support.seats import Rule, Seat, vectorised


def _trade(market: Market, prices: dict[int, float]) -> None:
    market.apply(tick_batch(list(prices), list(prices.values()), NOON), 1)


class Ranking:
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
def ranking() -> Ranking:
    return Ranking()


@pytest.fixture
def seat(segment: Segment, ranking: Ranking) -> Seat:
    return Seat(segment, vectorised(ranking, scope="market"), chunk=2)


def test_every_row_is_shown_whenever_one_changed(market: Market, seat: Seat, ranking: Ranking) -> None:
    """Those that did not change stand in the mirror as they were last read; symbols without data are unknown."""
    _trade(market, {0: 5.0, 3: 7.0, 69: 6.0})
    swap(market)
    seat.step()
    _trade(market, {0: 8.0})
    swap(market)
    seat.step()
    assert ranking.seen == [{"S0": 5.0, "S3": 7.0, "S69": 6.0}, {"S0": 8.0, "S3": 7.0, "S69": 6.0}]
    assert seat.view.matches == {"S0": 8.0, "S3": 7.0}
    assert (seat.tally.processed, seat.tally.skipped) == (6, 0)


def test_a_symbol_may_leave_though_it_did_not_change(market: Market, seat: Seat) -> None:
    """Another one overtook it."""
    _trade(market, {0: 5.0, 1: 6.0})
    swap(market)
    seat.step()
    _trade(market, {2: 9.0})
    swap(market)
    seat.step()
    assert seat.view.matches == {"S1": 6.0, "S2": 9.0}
    assert [(draft.symbol, draft.event) for draft in seat.drafts[-2:]] == [("S0", "left"), ("S2", "entered")]


def test_the_watch_list_says_who_may_match(market: Market, segment: Segment, ranking: Ranking) -> None:
    """All are ranked, and of the best only those that are watched match."""
    seat = Seat(segment, vectorised(ranking, scope="market", watch=["S1*"]))
    _trade(market, {0: 9.0, 1: 6.0, 2: 5.0, 10: 4.0})
    swap(market)
    seat.step()
    assert seat.view.matches == {"S1": 6.0}
    assert len(ranking.seen[-1]) == 4


def test_what_does_not_trade_stays_visible_and_does_not_match(market: Market, seat: Seat) -> None:
    """A delisted symbol leaves; whoever comes after it in the ranking is the rule's business."""
    _trade(market, {0: 9.0, 1: 6.0, 2: 5.0})
    swap(market)
    seat.step()
    market.apply(tick_batch([0], [9.5], NOON, status=1), 1)
    swap(market)
    seat.step()
    assert seat.view.matches == {"S1": 6.0}


def test_a_new_symbol_takes_its_place(market: Market, seat: Seat, ranking: Ranking) -> None:
    """First seen in the very cycle being read, it is ranked in that cycle."""
    _trade(market, {0: 5.0})
    swap(market)
    seat.step()
    _trade(market, {market.slot("NEW"): 9.0})
    swap(market)
    seat.step()
    assert ranking.seen[-1] == {"S0": 5.0, "NEW": 9.0}
    assert seat.view.matches == {"S0": 5.0, "NEW": 9.0}


def test_a_failure_leaves_the_matches_alone(market: Market, segment: Segment) -> None:
    """What the mirror took in before it stays; the next step ranks it all and is right."""
    rule = Rule()
    seat = Seat(segment, vectorised(rule, scope="market"))
    _trade(market, {0: 20.0})
    swap(market)
    seat.step()
    _trade(market, {0: 5.0, 1: 30.0})
    swap(market)
    rule.faults = [ValueError("no")]
    with pytest.raises(PluginError):
        seat.step()
    seat.runner.fail()
    assert (seat.matches.scores(), seat.runner.done) == ({"S0": 20.0}, 1)
    seat.step()
    assert seat.view.matches == {"S1": 30.0}


def test_a_wrong_answer_is_no_answer(market: Market, segment: Segment) -> None:
    """After one, a step in which no row could be read leaves the matches as they were: there is nothing to go by."""
    answers: list[Any] = []

    def rule(m: Any) -> Any:
        return answers.pop() if answers else (m.last > 10.0, m.last)

    seat = Seat(segment, vectorised(rule, scope="market"))
    _trade(market, {0: 20.0})
    swap(market)
    seat.step()
    _trade(market, {1: 30.0})
    swap(market)
    answers.append((np.arange(70) == 5, np.full(70, np.inf)))
    with pytest.raises(PluginError, match="infinite"):
        seat.step()
    seat.runner.fail()
    market.segment.arrays.versions[:70] |= 1
    assert seat.step() is None
    assert seat.matches.scores() == seat.view.matches == {"S0": 20.0}
    assert seat.tally.processed == 1  # the second step ranked nothing
    market.segment.arrays.versions[:70] += market.segment.arrays.versions[:70] & 1
    seat.step()
    assert seat.view.matches == {"S0": 20.0, "S1": 30.0}


def test_tracking_or_not_is_the_same(market: Market, segment: Segment) -> None:
    """A ranking by changed rows is the ranking by all of them, cycle for cycle."""
    tracked, full = (Seat(segment, vectorised(Ranking(), scope="market"), tracking=on) for on in (True, False))
    rng = np.random.default_rng(3)
    for cycle in range(30):
        _trade(market, {int(slot): float(rng.integers(1, 99)) for slot in rng.choice(12, 2, replace=False)})
        swap(market)
        for seat in (tracked, full):
            seat.step(NOON + cycle * SECOND)
        assert tracked.view.matches == full.view.matches == tracked.matches.scores()
    assert tracked.drafts == full.drafts
