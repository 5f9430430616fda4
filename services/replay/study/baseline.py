"""Baseline: what any watched symbol's price did over a horizon, whether it matched or not."""

from collections.abc import Sequence

import numpy as np

from services.replay.prices import Floats, Integers

MOMENTS = 10  # a horizon


class Baseline:
    """Mean return over one horizon, over symbols and moments.

    The moments are the multiples, since 1970, of a tenth of the horizon. One counts where a price of the market changed
    in the tenth before it (so that a night in which nothing moves does not water the mean down) and its horizon ends
    inside what is played. At each, every watched symbol with a price counts once. Memory: ten prices a symbol.
    """

    def __init__(self, horizon_ns: int, capacity: int, groups: int) -> None:
        self._step_ns = horizon_ns // MOMENTS
        self._past: Floats = np.full((MOMENTS, capacity), np.nan)  # prices at the last moments
        self._counts_at = np.zeros(MOMENTS, np.bool_)
        self._last: Floats = np.full(capacity, np.nan)  # prices at the last moment that counted
        self._next_ns = 0
        self._sums = [0.0] * groups
        self.counts = [0] * groups
        """Returns, by group of watched symbols."""

    def mean(self, group: int) -> float:
        """NaN where there is no return."""
        return self._sums[group] / self.counts[group] if self.counts[group] else np.nan

    def advance(self, until_ns: int, prices: Floats, groups: Sequence[Integers]) -> None:
        """Pass the moments before `until_ns`; up to then `prices` (by slot) were the last known.

        `groups` are the slots of the watched symbols.
        """
        while self._next_ns < until_ns:
            moved = not np.array_equal(prices, self._last, equal_nan=True)
            if not (moved or self._counts_at.any()):  # nothing to be had before the next cycle
                self._next_ns = -(-until_ns // self._step_ns) * self._step_ns
                return
            place = self._next_ns // self._step_ns % MOMENTS
            if self._counts_at[place]:
                self._add(prices / self._past[place] - 1.0, groups)
            self._counts_at[place] = moved
            if moved:
                self._past[place] = self._last = prices.copy()
            self._next_ns += self._step_ns

    def _add(self, returns: Floats, groups: Sequence[Integers]) -> None:
        for number, slots in enumerate(groups):
            known = returns[slots]
            known = known[~np.isnan(known)]
            self._sums[number] += float(known.sum())
            self.counts[number] += len(known)
