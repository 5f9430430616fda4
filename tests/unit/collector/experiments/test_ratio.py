"""Ratios of sums: what the intervals promise, and what few or empty units give."""

import numpy as np
import pytest

from tickflag.services.collector.experiments.ratio import Estimate, Moments, compared, estimated, split


def moments(*units: tuple[float, float]) -> Moments:
    found = Moments()
    for x, y in units:
        found.add(x, y)
    return found


def test_ratio_is_that_of_the_sums() -> None:
    """The ratio is not the mean of the traders' ratios: a trader with many cycles weighs more."""
    assert moments((10.0, 1.0), (10.0, 9.0)).ratio == 2.0
    assert moments().ratio is None


def test_variance_is_that_of_the_delta_method() -> None:
    """By hand: r = 2, residuals 1 and -1, so n / (n - 1) * 2 / 8^2."""
    assert moments((3.0, 1.0), (5.0, 3.0)).log_variance() == pytest.approx(2 * 2 / 64)


def test_units_that_are_alike_have_no_variance() -> None:
    """The interval is the ratio itself, also where rounding makes the variance negative."""
    one, other = moments((0.3, 0.1), (0.9, 0.3), (3.3, 1.1)), moments((1.0, 1.0), (2.0, 2.0))
    found = compared(one, other)
    assert found.ratio == pytest.approx(3.0)
    assert found.low == pytest.approx(3.0)
    assert found.high == pytest.approx(3.0)
    assert compared(other, other) == Estimate(1.0, 1.0, 1.0)
    assert moments((2.1599999999999997, 2.4), (0.09, 0.1)).log_variance() == 0.0


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        (moments(), moments((1.0, 1.0), (2.0, 1.0)), None),
        (moments((1.0, 1.0), (2.0, 1.0)), moments(), None),
        (moments((1.0, 1.0), (2.0, 1.0)), moments((0.0, 1.0), (0.0, 1.0)), None),
        (moments((0.0, 1.0), (0.0, 1.0)), moments((1.0, 1.0), (2.0, 1.0)), 0.0),
        (moments((6.0, 1.0)), moments((1.0, 1.0), (2.0, 1.0)), 4.0),
        (moments((1.0, 1.0), (2.0, 1.0)), moments((6.0, 1.0)), 0.25),
    ],
)
def test_too_little_gives_no_interval(one: Moments, other: Moments, ratio: float | None) -> None:
    """Fewer than two units in an arm, or a sum of nothing, give no interval."""
    assert compared(one, other) == Estimate(ratio)


def test_the_other_way_round_is_the_inverse() -> None:
    """The result is the inverse when arm and base are exchanged."""
    one, other = moments((3.0, 1.0), (5.0, 3.0), (4.0, 2.0)), moments((1.0, 1.0), (2.0, 1.0))
    there, back = compared(one, other), compared(other, one)
    assert there.ratio is not None
    assert there.low is not None
    assert there.high is not None
    assert back == pytest.approx((1 / there.ratio, 1 / there.high, 1 / there.low))


def test_joined_moments_are_those_of_all_units() -> None:
    """Joining keeps the moments of a trader that is gone."""
    first, second = moments((3.0, 1.0), (5.0, 3.0)), moments((4.0, 2.0))
    first.join(second)
    assert first == moments((3.0, 1.0), (5.0, 3.0), (4.0, 2.0))


@pytest.mark.parametrize(("units", "spread"), [((6, 6), 0.3), ((4, 20), 0.4), ((40, 40), 0.6)])
def test_intervals_of_two_arms_cover_the_truth(units: tuple[int, int], spread: float) -> None:
    """They do about 95 of 100 times, with traders that differ in cost and in number of cycles."""
    random, covered, runs = np.random.default_rng(5), 0, 1_000

    def arm(count: int, mean: float) -> Moments:
        cycles = random.integers(500, 1_500, count)
        costs = cycles * mean * random.lognormal(-spread * spread / 2, spread, count)
        return moments(*zip(costs.tolist(), cycles.tolist(), strict=True))

    for _ in range(runs):
        found = compared(arm(units[0], 7.0), arm(units[1], 70.0))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.1 <= found.high
    assert 0.92 <= covered / runs <= 0.98


def test_intervals_of_paired_sums_cover_the_truth() -> None:
    """They do about 95 of 100 times: x and y of a unit go together, which makes the interval narrow."""
    random, covered, runs, widths = np.random.default_rng(6), 0, 1_000, []
    for _ in range(runs):
        full = random.lognormal(0.0, 1.0, 100)
        part = full * random.uniform(0.0, 0.2, 100)
        found = estimated(moments(*zip(part.tolist(), full.tolist(), strict=True)))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.1 <= found.high
        widths.append(found.high - found.low)
    assert 0.92 <= covered / runs <= 0.98
    assert np.mean(widths) < 0.05  # of x alone it would be 0.06


def test_one_audit_gives_no_interval() -> None:
    """One audit gives the ratio alone."""
    assert estimated(moments((1.0, 4.0))) == Estimate(0.25)
    assert estimated(moments()) == Estimate(None)


def test_split_as_it_should_be() -> None:
    """By hand: 60 and 40 where 50 and 50 are expected give 4, which has p = 0.0455."""
    found = split([60, 40], [50, 50])
    assert found is not None
    assert found.chi_square == pytest.approx(4.0)
    assert found.degrees == 1
    assert found.p == pytest.approx(0.0455, abs=1e-4)
    found = split([10, 20, 30], [1, 2, 3])
    assert found == (0.0, 2, 1.0)


def test_split_of_few_is_not_judged() -> None:
    """With fewer than five expected in an arm, a single trader would decide."""
    assert split([5, 5], [1, 1]) is not None
    assert split([5, 4], [1, 1]) is None
    assert split([95, 4], [96, 4]) is None
    assert split([0, 0], [1, 1]) is None
