"""Price lines: every symbol's price over time, so coarse that a recording of any length fits into memory."""

import numpy as np

from tickflag.common.arrays import Floats
from tickflag.common.units import NS_PER_MS

POINTS = 2_000  # of a line; more than a screen shows
SAMPLES = 16_000_000  # of all lines: 64 MB


class PriceLines:
    """The last price of every symbol in each of up to `POINTS` equal parts of a time span (UTC ns)."""

    def __init__(self, start_ns: int, end_ns: int, capacity: int) -> None:
        points = max(min(POINTS, SAMPLES // capacity), 100)
        self._start_ns = start_ns
        self._part_ns = (max(end_ns - start_ns, 0) + points) // points  # rounded up: the end lies in the last part
        self._times = np.zeros(points, np.int64)
        self._prices = np.full((points, capacity), np.nan, np.float32)

    def record(self, now_ns: int, prices: Floats) -> None:
        """Note the prices after a cycle. The last cycle of a part counts."""
        part = min(max((now_ns - self._start_ns) // self._part_ns, 0), len(self._times) - 1)
        self._times[part] = now_ns
        self._prices[part] = prices

    def line(self, slot: int) -> tuple[list[int], list[float]]:
        """Times (ms) and prices of a symbol: at its first price, at each change, and at the end."""
        prices = self._prices[:, slot]
        known = np.flatnonzero(~np.isnan(prices))
        keep = np.ones(len(known), np.bool_)
        keep[1:-1] = prices[known[1:-1]] != prices[known[:-2]]
        known = known[keep]
        return (self._times[known] // NS_PER_MS).tolist(), [float(f"{price:.7g}") for price in prices[known]]
