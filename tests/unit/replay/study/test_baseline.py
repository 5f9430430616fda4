"""The baseline: which moments count, and that long silence costs nothing."""

import numpy as np
import pytest

from tickflag.services.replay.study.baseline import Baseline

STEP = 10
EVERYONE = [np.arange(2)]


def _advance(baseline: Baseline, until_ns: int, *prices: float, moved: bool = True) -> None:
    """Pass the moments before `until_ns`; with `moved`, the prices became these after the moments passed before."""
    baseline.moved = moved
    baseline.advance(until_ns, np.array(prices), EVERYONE)


def test_only_moments_after_a_change_count() -> None:
    """Each moment that counts gives a return for each symbol, one horizon later."""
    baseline = Baseline(10 * STEP, 2, 1, np.zeros(2, np.int64))
    _advance(baseline, 1_000, np.nan, np.nan, moved=False)  # nothing was known until then
    _advance(baseline, 1_025, 10.0, 20.0)  # moments 1000 (counts), 1010, 1020
    _advance(baseline, 1_095, 11.0, 20.0)  # 1030 (counts) to 1090
    _advance(baseline, 1_101, 12.0, 20.0)  # 1100 (counts): the first horizon is over
    assert baseline.counts == [2]
    assert baseline.mean(0) == pytest.approx((12 / 10 - 1 + 0) / 2)
    _advance(baseline, 1_140, 12.0, 20.0, moved=False)
    assert baseline.counts == [4]
    assert baseline.mean(0) == pytest.approx((12 / 10 - 1 + 12 / 11 - 1) / 4)


def test_a_moment_is_before_a_cycle_at_its_time_or_after() -> None:
    """`advance` ends before the moment at the given time: that moment belongs to the next prices."""
    baseline = Baseline(10 * STEP, 2, 1, np.zeros(2, np.int64))
    _advance(baseline, 1_000, np.nan, np.nan, moved=False)
    _advance(baseline, 1_000, 1.0, 1.0)
    _advance(baseline, 1_001, 2.0, 2.0)
    _advance(baseline, 1_100, 3.0, 3.0)
    _advance(baseline, 1_101, 4.0, 4.0)
    assert (baseline.mean(0), baseline.counts) == (1.0, [2])


def test_a_price_that_came_back_has_moved() -> None:
    """A change counts at the next moment, whatever the price is by then, and at no later one."""
    baseline = Baseline(10 * STEP, 2, 1, np.zeros(2, np.int64))
    _advance(baseline, 1_000, np.nan, np.nan, moved=False)
    _advance(baseline, 1_003, 1.0, 1.0)  # moment 1000
    _advance(baseline, 1_006, 2.0, 1.0)  # no moment lies before it
    _advance(baseline, 1_135, 1.0, 1.0)  # moment 1010 counts as well, 1020 does not
    assert (baseline.mean(0), baseline.counts) == (0.0, [4])


def test_silence_is_passed_at_once() -> None:
    """A year passes between two trades: horizons from before it are settled, then moments are skipped."""
    baseline = Baseline(10 * STEP, 2, 1, np.zeros(2, np.int64))
    year = 10**16 * 3
    _advance(baseline, 5, 1.0, 1.0)
    _advance(baseline, year, 2.0, 4.0)
    assert baseline.counts == [4]
    assert baseline.mean(0) == pytest.approx((1.0 + 3.0 + 0 + 0) / 4)
    _advance(baseline, year + 200, 4.0, 4.0)
    assert baseline.counts == [6]


def test_groups_and_unknown_prices() -> None:
    """Each group has its own symbols. A symbol without a price at the moment, or a horizon later, does not count."""
    baseline = Baseline(10 * STEP, 3, 3, np.zeros(3, np.int64))
    groups = [np.array([0]), np.array([1, 2]), np.array([], np.int64)]
    for until_ns, prices in ((5, [1.0, np.nan, 2.0]), (150, [2.0, 1.0, 3.0])):
        baseline.moved = True
        baseline.advance(until_ns, np.array(prices), groups)
    assert baseline.counts == [2, 3, 0]
    assert baseline.mean(0) == 0.5
    assert baseline.mean(1) == pytest.approx(0.5 / 3)
    assert np.isnan(baseline.mean(2))
