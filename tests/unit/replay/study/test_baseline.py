"""The baseline: which moments count, and that long silence costs nothing."""

import numpy as np
import pytest

from services.replay.baseline import Baseline

STEP = 10
EVERYONE = [np.arange(2)]


def _advance(baseline: Baseline, until_ns: int, *prices: float) -> None:
    baseline.advance(until_ns, np.array(prices), EVERYONE)


def test_only_moments_after_a_change_count() -> None:
    """Each such moment gives a return a symbol, one horizon later."""
    baseline = Baseline(10 * STEP, 2, 1)
    _advance(baseline, 1_000, np.nan, np.nan)  # nothing was known until then
    _advance(baseline, 1_025, 10.0, 20.0)  # moments 1000 (counts), 1010, 1020
    _advance(baseline, 1_095, 11.0, 20.0)  # 1030 (counts) to 1090
    _advance(baseline, 1_101, 12.0, 20.0)  # 1100 (counts): the first horizon is over
    assert baseline.counts == [2]
    assert baseline.mean(0) == pytest.approx((12 / 10 - 1 + 0) / 2)
    _advance(baseline, 1_140, 12.0, 20.0)
    assert baseline.counts == [4]
    assert baseline.mean(0) == pytest.approx((12 / 10 - 1 + 12 / 11 - 1) / 4)


def test_a_moment_is_before_a_cycle_at_its_time_or_after() -> None:
    """What is passed until a time leaves the moment at that time to the next prices."""
    baseline = Baseline(10 * STEP, 2, 1)
    _advance(baseline, 1_000, np.nan, np.nan)
    _advance(baseline, 1_000, 1.0, 1.0)
    _advance(baseline, 1_001, 2.0, 2.0)
    _advance(baseline, 1_100, 3.0, 3.0)
    _advance(baseline, 1_101, 4.0, 4.0)
    assert (baseline.mean(0), baseline.counts) == (1.0, [2])


def test_silence_is_passed_at_once() -> None:
    """A year of nothing between two trades: what began before it is settled, then moments are skipped."""
    baseline = Baseline(10 * STEP, 2, 1)
    year = 10**16 * 3
    _advance(baseline, 5, 1.0, 1.0)
    _advance(baseline, year, 2.0, 4.0)
    assert baseline.counts == [4]
    assert baseline.mean(0) == pytest.approx((1.0 + 3.0 + 0 + 0) / 4)
    _advance(baseline, year + 200, 4.0, 4.0)
    assert baseline.counts == [6]


def test_groups_and_unknown_prices() -> None:
    """A group has its own symbols; one without a price then or later does not count."""
    baseline = Baseline(10 * STEP, 3, 3)
    groups = [np.array([0]), np.array([1, 2]), np.array([], np.int64)]
    for until_ns, prices in ((5, [1.0, np.nan, 2.0]), (150, [2.0, 1.0, 3.0])):
        baseline.advance(until_ns, np.array(prices), groups)
    assert baseline.counts == [2, 3, 0]
    assert baseline.mean(0) == 0.5
    assert baseline.mean(1) == pytest.approx(0.5 / 3)
    assert np.isnan(baseline.mean(2))
