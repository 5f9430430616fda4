"""Track: the way of every price, coarse enough to be kept for a recording of any length."""

import numpy as np

from services.replay.prices import Floats

MS = 1_000_000
POINTS = 2_000  # of a line; more than a screen shows
SAMPLES = 16_000_000  # of all lines: 64 MB


class Track:
    """The last price of every symbol in each of up to `POINTS` equal parts of a time span (UTC ns)."""

    def __init__(self, start_ns: int, end_ns: int, capacity: int) -> None:
        points = max(min(POINTS, SAMPLES // capacity), 100)
        self._start_ns = start_ns
        self._part_ns = (max(end_ns - start_ns, 0) + points) // points  # so that the end lies in the last part
        self._times = np.zeros(points, np.int64)
        self._prices = np.full((points, capacity), np.nan, np.float32)

    def take(self, now_ns: int, prices: Floats) -> None:
        """A cycle closed. Of those in one part the last counts."""
        part = min(max((now_ns - self._start_ns) // self._part_ns, 0), len(self._times) - 1)
        self._times[part] = now_ns
        self._prices[part] = prices

    def line(self, slot: int) -> tuple[list[int], list[float]]:
        """Times (ms) and prices of a symbol: where the price changed, and the end."""
        prices = self._prices[:, slot]
        known = np.flatnonzero(~np.isnan(prices))
        keep = np.ones(len(known), np.bool_)
        keep[1:-1] = prices[known[1:-1]] != prices[known[:-2]]
        known = known[keep]
        return (self._times[known] // MS).tolist(), [float(f"{price:.7g}") for price in prices[known]]
