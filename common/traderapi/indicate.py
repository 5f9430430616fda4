"""Calls an indicator's kernel on any rows whose last axis is time, for the latest value or for all values."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tickflag.common.arrays import Floats

Kernel = Callable[..., None]


def latest(kernel: Kernel, period: int, *columns: Floats, options: tuple[Any, ...] = ()) -> Floats:
    """One value a row: shape (n,) for (n, look-back); a number for a single row."""
    found: Floats = _indicated(kernel, period, columns, options, 1)[..., 0][()]
    return found


def whole(kernel: Kernel, period: int, *columns: Floats, options: tuple[Any, ...] = ()) -> Floats:
    """A value for every column: the shape is that of the columns."""
    return _indicated(kernel, period, columns, options, columns[0].shape[-1])


def _rows(columns: tuple[Floats, ...]) -> list[Floats]:
    """The columns as (rows, look-back), contiguous and read-only: with one kind of array a kernel is compiled once.
    Raises ValueError for columns of different shapes."""
    found = []
    for column in columns:
        if column.ndim == 0 or column.shape != columns[0].shape:
            shapes = ", ".join(str(one.shape) for one in columns)
            raise ValueError(f"candle columns of one shape are wanted, the last axis is time; not {shapes}")
        if isinstance(column, np.ma.MaskedArray):  # numpy would take what lies under the mask
            column = np.ma.filled(column.astype(np.float64), np.nan)
        rows = np.ascontiguousarray(column, np.float64).reshape(math.prod(column.shape[:-1]), column.shape[-1]).view()
        rows.flags.writeable = False
        found.append(rows)
    return found


def checked(period: int) -> int:
    """The period itself. Raises ValueError where it is below 1."""
    if period < 1:
        raise ValueError(f"a period has at least 1 candle, not {period}")
    return int(period)


def _indicated(
    kernel: Kernel, period: int, columns: tuple[Floats, ...], options: tuple[Any, ...], width: int
) -> Floats:
    rows = _rows(columns)
    out = np.full((len(rows[0]), width), np.nan)
    kernel(*rows, checked(period), *options, out)
    return out.reshape(*columns[0].shape[:-1], width)
