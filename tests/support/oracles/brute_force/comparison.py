"""Says where an engine's signals and those of the brute force part, in few words."""

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

EXACT = 0.0
SUMMED = 1e-12
"""Relative: for numbers that the engine adds up in another order."""


def difference(found: Sequence[Any], expected: Sequence[Any]) -> str:
    """The first difference of two streams of signals, with what came before it; empty where there is none."""
    for number, (one, other) in enumerate(zip_longest(found, expected)):
        if one is None or other is None or not _same(tuple(one), tuple(other)):
            before = "".join(f"\n  before: {tuple(signal)}" for signal in expected[max(0, number - 3) : number])
            return f"signal {number} of {len(found)} and {len(expected)}:{before}\n  engine: {one}\n  oracle: {other}"
    return ""


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    if one == other:
        return True
    tolerance = SUMMED if one[0] == "day" else EXACT
    return one[:3] == other[:3] and one[4:6] == other[4:6] and _close(one, other, tolerance)


def _close(one: tuple[Any, ...], other: tuple[Any, ...], tolerance: float) -> bool:
    pairs = [(one[3], other[3]), *zip_longest(map(float, one[6].split()), map(float, other[6].split()))]
    return all(
        a is not None and b is not None and (a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=tolerance))
        for a, b in pairs
    )
