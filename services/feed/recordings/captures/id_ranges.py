"""IdRanges: a set of trade ids that mostly count up, as the ranges without a gap."""

from collections.abc import Iterable
from typing import Self

import numpy as np

from tickflag.common.arrays import Integers


class IdRanges:
    """Ranges of ids, ascending, with a gap between any two."""

    def __init__(self, firsts: Integers, lasts: Integers) -> None:
        self._firsts, self._lasts = firsts, lasts

    @classmethod
    def of(cls, ids: Iterable[int]) -> Self:
        """The ranges that these ids make, in whatever order they come."""
        known = np.unique(np.fromiter(ids, np.int64))
        return cls._joined(known, known)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdRanges) and (
            np.array_equal(self._firsts, other._firsts) and np.array_equal(self._lasts, other._lasts)
        )

    __hash__ = None  # type: ignore[assignment] # it holds arrays

    def has(self, first: int, last: int) -> bool:
        """Whether every id from `first` to `last` is there."""
        place = int(np.searchsorted(self._firsts, first, "right")) - 1
        return place >= 0 and first <= last <= int(self._lasts[place])

    def union(self, other: "IdRanges") -> "IdRanges":
        """The ids of both."""
        firsts = np.concatenate([self._firsts, other._firsts])
        lasts = np.concatenate([self._lasts, other._lasts])
        order = np.argsort(firsts, kind="stable")
        return self._joined(firsts[order], lasts[order])

    @classmethod
    def _joined(cls, firsts: Integers, lasts: Integers) -> Self:
        """Ranges in the order of their beginnings, those that touch made one."""
        reach = np.maximum.accumulate(lasts) if len(lasts) else lasts
        begins = np.ones(len(firsts), np.bool_)
        begins[1:] = firsts[1:] > reach[:-1] + 1
        ends = np.append(begins[1:], True)[: len(firsts)]
        return cls(firsts[begins], reach[ends])
