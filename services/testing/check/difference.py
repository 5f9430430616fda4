"""Difference: where the matches of two runs part."""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from services.testing.run import Matches


class Difference(NamedTuple):
    """The first one."""

    cycle: int
    """From 1."""
    symbol: str
    one: float | None
    """The score in one run; None where the symbol does not match."""
    other: float | None

    def __str__(self) -> str:
        left, right = ("no match" if score is None else f"{score:.6g}" for score in (self.one, self.other))
        return f"{self.symbol} in cycle {self.cycle}: {left}, against {right}"


def first_difference(
    one: Sequence[Matches], other: Sequence[Matches], among: Collection[str] | None = None
) -> Difference | None:
    """Cycle by cycle, as far as both go; of several in a cycle the first by name, `among` these where given.

    Scores that differ by rounding, in single precision too, are the same: numpy rounds otherwise in arrays of other
    lengths.
    """
    return first_of_each(one, other, [among] * min(len(one), len(other)))


def first_of_each(
    one: Sequence[Matches], other: Sequence[Matches], among: Sequence[Collection[str] | None]
) -> Difference | None:
    """The same with symbols of its own for each cycle."""
    for cycle, (left, right, wanted) in enumerate(zip(one, other, among, strict=False), 1):
        if left == right:
            continue
        for symbol in sorted(left.keys() | right.keys()):
            a, b = left.get(symbol), right.get(symbol)
            if (wanted is None or symbol in wanted) and not _same(a, b):
                return Difference(cycle, symbol, a, b)
    return None


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-7)
