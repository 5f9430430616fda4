"""SwapTimes: how long the feed's swaps take, and how far apart they are, as histograms in the segment."""

from tickflag.common.histogram import CYCLE_BOUNDS_NS, SWAP_BOUNDS_NS, Histogram
from tickflag.common.segment.layout import HISTOGRAM
from tickflag.common.segment.segment import Segment


class SwapTimes:
    """One thread. A swap counts in private memory; `write` brings the counts to the segment, at a heartbeat.

    So a swap costs two additions, and a segment that grew goes on with the counts of the one before.
    """

    def __init__(self) -> None:
        self._swap, self._cycle = Histogram(SWAP_BOUNDS_NS), Histogram(CYCLE_BOUNDS_NS)
        self._last_ns = 0  # when the swaps before began; 0: there were none
        self._written_ns = 0

    def add(self, began_ns: int, ended_ns: int) -> None:
        """Count the swaps of a turn by their monotonic begin and end. Call it after they were announced."""
        self._swap.add(ended_ns - began_ns)
        if self._last_ns:
            self._cycle.add(began_ns - self._last_ns)
        self._last_ns = began_ns

    def write(self, segment: Segment) -> None:
        """Write the counts to the segment, if they are others than those written last."""
        if self._last_ns == self._written_ns:
            return
        self._written_ns = self._last_ns
        living = segment.arrays.living
        for name, histogram in (("swap", self._swap), ("cycle", self._cycle)):
            word = HISTOGRAM[name]
            living[word : word + 1 + len(histogram.buckets)] = (histogram.sum_ns, *histogram.buckets)
