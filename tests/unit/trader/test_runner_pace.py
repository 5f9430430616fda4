"""Pace: a trader that is asked at most so often, or at least so often, misses nothing by it."""

from typing import Any

import pytest

from common.errors import PluginError
from common.layout import STATUS_DELISTED
from common.messages import Snapshot
from common.segment import Segment
from services.feed.market import Market
from tests.support.markets import MINUTE, NOON, SECOND, swap, tick_batch
from tests.support.seats import Rule, Seat, vectorised

HIGH, LOW = 20.0, 5.0


@pytest.fixture
def rule() -> Rule:
    return Rule()


def _trade(market: Market, *slots: int, price: float = HIGH) -> None:
    market.apply(tick_batch(slots, [price] * len(slots)), 1)
    swap(market)


def _at(seconds: float) -> int:
    return NOON + round(seconds * SECOND)


@pytest.fixture
def seat(market: Market, segment: Segment, rule: Rule) -> Seat:
    """At most one pass in ten seconds; the last one was just now."""
    return _passed(Seat(segment, vectorised(rule, min_interval=10.0)), market, rule)


def _passed(seat: Seat, market: Market, rule: Rule) -> Seat:
    assert seat.runner.pending(NOON)
    _trade(market, 1, 2, price=LOW)
    seat.step()
    rule.take_asked()
    return seat


def test_what_changes_within_the_interval_comes_at_its_end(market: Market, seat: Seat, rule: Rule) -> None:
    """In one pass, at its newest, without a further event; without a change nothing is due."""
    assert seat.runner.due_ns() is None
    for second, price in ((1, HIGH), (2, LOW), (3, 30.0)):
        _trade(market, 1, price=price)
        assert not seat.runner.pending(_at(second))
        assert seat.step(_at(second)) is None
    assert (rule.take_asked(), seat.view.matches, seat.runner.done) == ([], {}, 1)
    assert seat.runner.due_ns() == _at(10)
    assert not seat.runner.pending(_at(10) - 1)
    assert seat.runner.pending(_at(10))
    seat.step(_at(10))
    assert (rule.take_asked(), seat.view.matches) == ([["S1"]], {"S1": 30.0})
    assert seat.runner.due_ns() is None


def test_after_the_interval_a_change_comes_at_once(market: Market, seat: Seat) -> None:
    """And begins the next one."""
    assert not seat.runner.pending(_at(60))
    _trade(market, 1)
    assert seat.runner.pending(_at(60))
    seat.step(_at(60))
    _trade(market, 2)
    assert seat.runner.due_ns() == _at(70)


def test_a_snapshot_does_not_wait(market: Market, seat: Seat, rule: Rule) -> None:
    """It tells what is known, and evaluates nothing."""
    _trade(market, 1)
    seat.results.ask_snapshot(7)
    assert seat.runner.pending(_at(1))
    result = seat.step(_at(1))
    assert isinstance(result, Snapshot)
    assert (result.matches, rule.take_asked()) == ({}, [])
    assert (seat.runner.pending(_at(1)), seat.runner.due_ns()) == (False, _at(10))


def test_a_failed_pass_is_none(market: Market, seat: Seat, rule: Rule) -> None:
    """The interval does not begin again: what changed is still due."""
    _trade(market, 1)
    rule.faults = [ValueError("now")]
    with pytest.raises(PluginError, match="ValueError: now"):
        seat.step(_at(10))
    seat.runner.fail()
    assert seat.runner.due_ns() == _at(10)
    assert seat.runner.pending(_at(11))
    seat.step(_at(11))
    assert seat.view.matches == {"S1": HIGH}


def test_everything_each_so_often(market: Market, segment: Segment, rule: Rule) -> None:
    """Without any event, all symbols that hold data; in between only those that changed."""
    seat = _passed(Seat(segment, vectorised(rule, every=10.0)), market, rule)
    assert seat.runner.due_ns() == _at(10)
    _trade(market, 2)
    seat.step(_at(9))
    assert (rule.take_asked(), seat.runner.pending(_at(9)), seat.runner.due_ns()) == ([["S2"]], False, _at(10))
    rule.above = 2.0
    assert seat.runner.pending(_at(10))
    seat.step(_at(10))
    assert (rule.take_asked(), seat.view.matches) == ([["S1", "S2"]], {"S1": LOW, "S2": HIGH})
    assert (seat.runner.pending(_at(10)), seat.runner.due_ns()) == (False, _at(20))


def test_a_failed_pass_over_everything_is_due(market: Market, segment: Segment, rule: Rule) -> None:
    """Until one succeeds."""
    seat = _passed(Seat(segment, vectorised(rule, every=10.0)), market, rule)
    rule.faults = [ValueError("now")]
    with pytest.raises(PluginError, match="ValueError: now"):
        seat.step(_at(10))
    seat.runner.fail()
    rule.take_asked()
    assert seat.runner.pending(_at(11))
    seat.step(_at(11))
    assert (rule.take_asked(), seat.runner.due_ns()) == ([["S1", "S2"]], _at(21))


def test_tracking_makes_no_difference_to_when_passes_are_made(market: Market, segment: Segment) -> None:
    """So that what a trader counts is the same, whether tracking is on or off."""
    declaration: dict[str, Any] = {"min_interval": 2.0, "every": 5.0, "watch": ["S1"]}
    times: list[list[float]] = []
    for tracking in (True, False):
        seat = Seat(segment, vectorised(Rule(), **declaration))
        seat.runner.tracking = tracking
        times.append([])
        for tick in range(60):
            if tick % 7 == 0:
                _trade(market, 1)
            if tick % 11 == 0:
                _trade(market, 2)
            if seat.runner.pending(_at(tick / 2)):
                seat.step(_at(tick / 2))
                times[-1].append(tick / 2)
    assert times[0] == times[1]


def test_a_delisted_symbol_is_due_too(market: Market, segment: Segment, rule: Rule) -> None:
    """On an interval's channel, which does not tell of it."""
    seat = Seat(segment, vectorised(rule, min_interval=10.0, channel="1m"))
    for minute in range(2):
        market.apply(tick_batch([1], [HIGH], NOON + minute * MINUTE), 1)
    swap(market)
    seat.step()
    assert (seat.view.matches, seat.runner.due_ns()) == ({"S1": HIGH}, None)
    market.apply(tick_batch([1], [HIGH], NOON + MINUTE, status=STATUS_DELISTED), 1)
    swap(market)
    assert seat.runner.due_ns() == _at(10)
    seat.step(_at(10))
    assert (seat.view.matches, seat.runner.due_ns()) == ({}, None)
