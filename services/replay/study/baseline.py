"""Baseline: the mean return of all watched symbols over a horizon, whether they matched or not."""

from collections.abc import Sequence

import numpy as np

from tickflag.common.arrays import Floats, Integers

MOMENTS = 10  # in a horizon


class Baseline:
    """The mean return over one horizon, taken over symbols and moments.

    The moments are the multiples, since 1970, of a tenth of the horizon. A moment counts on two conditions: some price
    changed in the tenth before it, so that quiet nights do not dilute the mean; and its horizon ends within the played
    time. At such a moment every watched symbol with a price counts once, unless its `resolution_ns`, by slot, is longer
    than the horizon. Memory: ten prices a symbol.
    """

    def __init__(self, horizon_ns: int, capacity: int, groups: int, resolution_ns: Integers) -> None:
        self._horizon_ns, self._resolution_ns = horizon_ns, resolution_ns
        self._step_ns = horizon_ns // MOMENTS
        self._past: Floats = np.full((MOMENTS, capacity), np.nan)  # prices at the last moments
        self._counts_at = np.zeros(MOMENTS, np.bool_)
        self._next_ns = 0
        self.moved = False
        """Set it when a price changes: then the next moment counts, even where the price has come back by then."""
        self._sums = [0.0] * groups
        self.counts = [0] * groups
        """The number of returns, by group of watched symbols."""

    def mean(self, group: int) -> float:
        """The mean return of a group; NaN where it has none."""
        return self._sums[group] / self.counts[group] if self.counts[group] else np.nan

    def advance(self, until_ns: int, prices: Floats, groups: Sequence[Integers]) -> None:
        """Pass the moments before `until_ns`. `prices` (by slot) are the prices until then; `groups` has the slots of
        each group of watched symbols."""
        while self._next_ns < until_ns:
            if not (self.moved or self._counts_at.any()):  # no moment before the next cycle counts
                self._next_ns = -(-until_ns // self._step_ns) * self._step_ns
                return
            place = self._next_ns // self._step_ns % MOMENTS
            if self._counts_at[place]:
                self._add(prices / self._past[place] - 1.0, groups)
            self._counts_at[place] = self.moved
            if self.moved:
                self._past[place] = prices
                self.moved = False
            self._next_ns += self._step_ns

    def _add(self, returns: Floats, groups: Sequence[Integers]) -> None:
        returns[self._resolution_ns > self._horizon_ns] = np.nan
        for number, slots in enumerate(groups):
            known = returns[slots]
            known = known[~np.isnan(known)]
            self._sums[number] += float(known.sum())
            self.counts[number] += len(known)
