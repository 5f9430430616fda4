"""Match log: every match of every trader, from entering to leaving, and the returns after it entered.

It has one row for each entry, in the order of time. It keeps no ticks.
"""

from collections.abc import Sequence

import numpy as np

from tickflag.common.arrays import Floats, Integers, Records

ENTRY = np.dtype(
    [
        ("subject", "<i4"),  # number of the trader in the study
        ("slot", "<i4"),
        ("entered_ns", "<i8"),
        ("left_ns", "<i8"),  # 0: the symbol still matches
        ("price", "<f8"),  # NaN: the symbol had no price
        ("left_price", "<f8"),
        ("standing", "<i8"),  # 1: the symbol matched already when the period began
    ]
)


class MatchLog:
    """Logs the entries of all subjects. `horizons_ns` are the times after an entry at which a return is taken.

    `resolution_ns`, by slot, is the shortest horizon at which the symbol has a return.
    """

    def __init__(self, subjects: int, capacity: int, horizons_ns: Sequence[int], resolution_ns: Integers) -> None:
        self._horizons_ns, self._resolution_ns = horizons_ns, resolution_ns
        self._rows = np.zeros(1_024, ENTRY)
        self._returns: Floats = np.full((1_024, len(horizons_ns)), np.nan)
        self._count = 0
        self._open = np.full((subjects, capacity), -1, np.int64)  # row of the present match; -1: none
        self._resolved = [0] * len(horizons_ns)  # rows whose horizon has ended

    @property
    def rows(self) -> Records:
        """ENTRY, a row for each entry."""
        return self._rows[: self._count]

    @property
    def returns(self) -> Floats:
        """(entry, horizon): the relative change of the price since the entry; NaN where it is not known."""
        return self._returns[: self._count]

    @property
    def settled(self) -> list[int]:
        """By horizon: how many entries, counted from the first, have reached their horizon."""
        return list(self._resolved)

    def enter(self, subject: int, slot: int, now_ns: int, price: float, standing: bool) -> None:
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._returns = np.concatenate([self._returns, np.full_like(self._returns, np.nan)])
        self._rows[self._count] = (subject, slot, now_ns, 0, price, np.nan, standing)
        self._open[subject, slot] = self._count
        self._count += 1

    def leave(self, subject: int, slot: int, now_ns: int, price: float) -> None:
        row = self._rows[self._open[subject, slot]]
        row["left_ns"], row["left_price"] = now_ns, price
        self._open[subject, slot] = -1

    def resolve(self, until_ns: int, prices: Floats) -> None:
        """Settle the horizons that end before `until_ns`. `prices` (by slot) are the prices until then."""
        for column, horizon_ns in enumerate(self._horizons_ns):
            begin = self._resolved[column]
            if begin == self._count or self._rows["entered_ns"][begin] + horizon_ns >= until_ns:
                continue
            rows = self._rows[begin : self._count]
            end = begin + int(np.searchsorted(rows["entered_ns"], until_ns - horizon_ns, "left"))
            rows = self._rows[begin:end]
            change = prices[rows["slot"]] / rows["price"] - 1.0
            unknown = (rows["standing"] == 1) | (self._resolution_ns[rows["slot"]] > horizon_ns)
            self._returns[begin:end, column] = np.where(unknown, np.nan, change)
            self._resolved[column] = end
