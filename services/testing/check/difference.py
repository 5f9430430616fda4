"""AnswerDifference: where the matches of two runs first differ."""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from tickflag.services.testing.check.run import Matches


class AnswerDifference(NamedTuple):
    """The first difference between two runs."""

    cycle: int
    """The number of the cycle, from 1."""
    symbol: str
    one: float | None
    """The score in one run; None where the symbol does not match."""
    other: float | None

    def __str__(self) -> str:
        left, right = ("no match" if score is None else f"{score:.6g}" for score in (self.one, self.other))
        return f"{self.symbol} in cycle {self.cycle}: {left}, against {right}"


def first_difference(
    one: Sequence[Matches], other: Sequence[Matches], among: Collection[str] | None = None
) -> AnswerDifference | None:
    """The first difference, as far as both runs go; where a cycle has several, the first by name. With `among` only
    these symbols are compared.

    Scores that differ only by rounding, even in single precision, are equal: numpy rounds differently in arrays of
    different length.
    """
    return first_of_each(one, other, [among] * min(len(one), len(other)))


def first_of_each(
    one: Sequence[Matches], other: Sequence[Matches], among: Sequence[Collection[str] | None]
) -> AnswerDifference | None:
    """As `first_difference`, with the symbols to compare given for each cycle."""
    for cycle, (left, right, wanted) in enumerate(zip(one, other, among, strict=False), 1):
        if left == right:
            continue
        for symbol in sorted(left.keys() | right.keys()):
            a, b = left.get(symbol), right.get(symbol)
            if (wanted is None or symbol in wanted) and not _same(a, b):
                return AnswerDifference(cycle, symbol, a, b)
    return None


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-7)
