"""Pace: a trader that is asked at most so often, or at least so often, misses nothing because of it."""

from typing import Any

import pytest

from tests.support.harnesses.runner_harness import PriceRule, RunnerHarness, vectorised
from tests.support.markets.markets import MINUTE, NOON, swap, tick_batch
from tickflag.common.errors import PluginError
from tickflag.common.segment.layout import STATUS_DELISTED
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.messages import Snapshot
from tickflag.services.feed.market.market import MarketWriter

HIGH, LOW = 20.0, 5.0


@pytest.fixture
def rule() -> PriceRule:
    return PriceRule()


def _trade(market: MarketWriter, *slots: int, price: float = HIGH) -> None:
    market.apply(tick_batch(slots, [price] * len(slots)), 1)
    swap(market)


def _at(seconds: float) -> int:
    return NOON + round(seconds * NS_PER_S)


@pytest.fixture
def harness(market: MarketWriter, segment: Segment, rule: PriceRule) -> RunnerHarness:
    """At most one pass in ten seconds; the last one was just now."""
    return _passed(RunnerHarness(segment, vectorised(rule, min_interval=10.0)), market, rule)


def _passed(harness: RunnerHarness, market: MarketWriter, rule: PriceRule) -> RunnerHarness:
    assert harness.runner.pending(NOON)
    _trade(market, 1, 2, price=LOW)
    harness.step()
    rule.take_asked()
    return harness


def test_what_changes_within_the_interval_comes_at_its_end(
    market: MarketWriter, harness: RunnerHarness, rule: PriceRule
) -> None:
    """One pass evaluates the newest rows, without a further event; without a change nothing is due."""
    assert harness.runner.due_ns() is None
    for second, price in ((1, HIGH), (2, LOW), (3, 30.0)):
        _trade(market, 1, price=price)
        assert not harness.runner.pending(_at(second))
        assert harness.step(_at(second)) is None
    assert (rule.take_asked(), harness.view.matches, harness.runner.done) == ([], {}, 1)
    assert harness.runner.due_ns() == _at(10)
    assert not harness.runner.pending(_at(10) - 1)
    assert harness.runner.pending(_at(10))
    harness.step(_at(10))
    assert (rule.take_asked(), harness.view.matches) == ([["S1"]], {"S1": 30.0})
    assert harness.runner.due_ns() is None


def test_after_the_interval_a_change_comes_at_once(market: MarketWriter, harness: RunnerHarness) -> None:
    """The change begins the next interval."""
    assert not harness.runner.pending(_at(60))
    _trade(market, 1)
    assert harness.runner.pending(_at(60))
    harness.step(_at(60))
    _trade(market, 2)
    assert harness.runner.due_ns() == _at(70)


def test_a_snapshot_does_not_wait(market: MarketWriter, harness: RunnerHarness, rule: PriceRule) -> None:
    """A snapshot tells what is known, and needs no evaluation."""
    _trade(market, 1)
    harness.results.ask_snapshot(7)
    assert harness.runner.pending(_at(1))
    result = harness.step(_at(1))
    assert isinstance(result, Snapshot)
    assert (result.matches, rule.take_asked()) == ({}, [])
    assert (harness.runner.pending(_at(1)), harness.runner.due_ns()) == (False, _at(10))


def test_a_failed_pass_is_none(market: MarketWriter, harness: RunnerHarness, rule: PriceRule) -> None:
    """The interval does not begin again: the change is still due."""
    _trade(market, 1)
    rule.faults = [ValueError("now")]
    with pytest.raises(PluginError, match="ValueError: now"):
        harness.step(_at(10))
    harness.runner.fail()
    assert harness.runner.due_ns() == _at(10)
    assert harness.runner.pending(_at(11))
    harness.step(_at(11))
    assert harness.view.matches == {"S1": HIGH}


def test_everything_each_so_often(market: MarketWriter, segment: Segment, rule: PriceRule) -> None:
    """All symbols that hold data are evaluated without any event; in between, only those that changed."""
    harness = _passed(RunnerHarness(segment, vectorised(rule, every=10.0)), market, rule)
    assert harness.runner.due_ns() == _at(10)
    _trade(market, 2)
    harness.step(_at(9))
    assert (rule.take_asked(), harness.runner.pending(_at(9)), harness.runner.due_ns()) == ([["S2"]], False, _at(10))
    rule.above = 2.0
    assert harness.runner.pending(_at(10))
    harness.step(_at(10))
    assert (rule.take_asked(), harness.view.matches) == ([["S1", "S2"]], {"S1": LOW, "S2": HIGH})
    assert (harness.runner.pending(_at(10)), harness.runner.due_ns()) == (False, _at(20))


def test_a_failed_pass_over_everything_is_due(market: MarketWriter, segment: Segment, rule: PriceRule) -> None:
    """The pass stays due until one succeeds."""
    harness = _passed(RunnerHarness(segment, vectorised(rule, every=10.0)), market, rule)
    rule.faults = [ValueError("now")]
    with pytest.raises(PluginError, match="ValueError: now"):
        harness.step(_at(10))
    harness.runner.fail()
    rule.take_asked()
    assert harness.runner.pending(_at(11))
    harness.step(_at(11))
    assert (rule.take_asked(), harness.runner.due_ns()) == ([["S1", "S2"]], _at(21))


def test_tracking_makes_no_difference_to_when_passes_are_made(market: MarketWriter, segment: Segment) -> None:
    """Passes come at the same times with tracking on or off, so what a trader counts is the same."""
    declaration: dict[str, Any] = {"min_interval": 2.0, "every": 5.0, "watch": ["S1"]}
    times: list[list[float]] = []
    for tracking in (True, False):
        harness = RunnerHarness(segment, vectorised(PriceRule(), **declaration))
        harness.switches.tracking = tracking
        times.append([])
        for tick in range(60):
            if tick % 7 == 0:
                _trade(market, 1)
            if tick % 11 == 0:
                _trade(market, 2)
            if harness.runner.pending(_at(tick / 2)):
                harness.step(_at(tick / 2))
                times[-1].append(tick / 2)
    assert times[0] == times[1]


def test_a_delisted_symbol_is_due_too(market: MarketWriter, segment: Segment, rule: PriceRule) -> None:
    """A delisting is due at the interval's end too, on the channel of an interval, which does not announce it."""
    harness = RunnerHarness(segment, vectorised(rule, min_interval=10.0, channel="1m"))
    for minute in range(2):
        market.apply(tick_batch([1], [HIGH], NOON + minute * MINUTE), 1)
    swap(market)
    harness.step()
    assert (harness.view.matches, harness.runner.due_ns()) == ({"S1": HIGH}, None)
    market.apply(tick_batch([1], [HIGH], NOON + MINUTE, status=STATUS_DELISTED), 1)
    swap(market)
    assert harness.runner.due_ns() == _at(10)
    harness.step(_at(10))
    assert (harness.view.matches, harness.runner.due_ns()) == ({}, None)
