"""The window of a table: which of its rows, in which order, from which place on. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64] | NDArray[np.int64]


class SortKey(NamedTuple):
    """A column to sort by."""

    values: Column
    """By row of the whole table; NaN where not known."""
    descending: bool


class Range(NamedTuple):
    """The values that a column may have; None is no limit."""

    values: Column
    least: float | None
    most: float | None


def filtered(mask: NDArray[np.bool_], ranges: Sequence[Range]) -> NDArray[np.int64]:
    """The rows of the mask whose values are in all ranges; a value that is not known is in no range."""
    for one in ranges:
        known = ~np.isnan(one.values)
        if one.least is not None:
            known &= one.values >= one.least
        if one.most is not None:
            known &= one.values <= one.most
        mask = mask & known
    return np.nonzero(mask)[0]


def ordered(rows: NDArray[np.int64], keys: Sequence[SortKey], ties: Sequence[Column]) -> NDArray[np.int64]:
    """The rows sorted by the first key, then the next, then ascending by `ties`.

    What is not known comes last, whichever way is sorted.
    """
    if not len(rows):
        return rows
    columns = [one[rows] for one in reversed(ties)]
    for key in reversed(keys):
        values = key.values[rows]
        columns.append(-values if key.descending else values)  # NaN is sorted last, also a negative one
    return rows[np.lexsort(columns)] if columns else rows
