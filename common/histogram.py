"""Histogram: how many durations were at most as long as each of some bounds. Counts and sum only grow.

The bounds are constants, as segment and messages hold counts only. Another set of bounds in the place of one of these
is another meaning: give it a name of its own.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from tickflag.common.units import NS_PER_MS, NS_PER_S, NS_PER_US

SWAP_BOUNDS_NS: Final = (
    *(us * NS_PER_US for us in (5, 10, 25, 50, 100, 250, 500)),
    *(ms * NS_PER_MS for ms in (1, 5, 25, 100)),
)
"""Of a swap, which takes microseconds unless the process is held up."""

CYCLE_BOUNDS_NS: Final = (
    *(ms * NS_PER_MS for ms in (1, 2, 5, 10, 25, 50, 75, 100, 110, 125, 150, 250, 500)),
    *(s * NS_PER_S for s in (1, 5, 10, 60)),
)
"""Of the time between two swaps: fine around 100 ms, which is the default of `feed.min_swap_interval_ms`."""

LATENCY_BOUNDS_NS: Final = (
    *(us * NS_PER_US for us in (100, 250, 500)),
    *(ms * NS_PER_MS for ms in (1, 2, 5, 10, 25, 50, 100, 150, 250, 500)),
    *(s * NS_PER_S for s in (1, 2, 5, 10)),
)
"""Of what a tick waits for: a trader's cycle, and the way from the tick to its signal."""


class Counts(NamedTuple):
    """The state of a histogram at a moment."""

    sum_ns: int
    buckets: Sequence[int]
    """For each bound how many durations were at most so long and longer than the bound before; last, how many were
    longer than all bounds."""


class Histogram:
    """Owned by one thread. An addition takes some tenths of a microsecond."""

    def __init__(self, bounds_ns: tuple[int, ...]) -> None:
        """The bounds ascend."""
        self.bounds_ns = bounds_ns
        self.buckets = [0] * (len(bounds_ns) + 1)
        """As in `Counts`. To be read only."""
        self.sum_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count a duration. One below 0, as after a step of a clock, counts as 0."""
        if duration_ns > 0:
            self.sum_ns += duration_ns
        self.buckets[bisect_left(self.bounds_ns, duration_ns)] += 1

    def counts(self) -> Counts:
        """The present state; it does not change any more."""
        return Counts(self.sum_ns, tuple(self.buckets))
