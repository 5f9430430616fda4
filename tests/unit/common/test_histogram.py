"""Histogram: which bucket a duration counts in."""

import pytest

from tickflag.common import histogram
from tickflag.common.histogram import Counts, Histogram


def test_a_bound_belongs_to_its_bucket() -> None:
    """A duration counts where it is at most the bound, as in Prometheus; what is longer than all counts last."""
    times = Histogram((10, 20))
    for duration in (0, 10, 11, 20, 21, 1_000):
        times.add(duration)
    assert times.counts() == Counts(1_062, (2, 2, 2))


def test_a_time_below_zero_counts_as_none() -> None:
    """The sum never shrinks, as that would look like a reset."""
    times = Histogram((10,))
    times.add(5)
    times.add(-1_000)
    assert times.counts() == Counts(5, (2, 0))


def test_counts_stay_as_they_were() -> None:
    """Later additions do not change them."""
    times = Histogram((10,))
    before = times.counts()
    times.add(3)
    assert (before, times.counts()) == (Counts(0, (0, 0)), Counts(3, (1, 0)))


@pytest.mark.parametrize("bounds", ["SWAP_BOUNDS_NS", "CYCLE_BOUNDS_NS", "LATENCY_BOUNDS_NS"])
def test_bounds_ascend(bounds: str) -> None:
    """So each duration has one bucket."""
    values = getattr(histogram, bounds)
    assert list(values) == sorted(set(values))
    assert min(values) > 0
