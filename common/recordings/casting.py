"""Casting: turns a column into another type. A value that does not fit puts its own row at fault only."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tickflag.common.arrays import Mask
from tickflag.common.errors import TickflagError


class Cast(NamedTuple):
    """A cast column."""

    array: Any
    """The pyarrow array; null where a value is missing or does not fit."""
    values: NDArray[Any]
    missing: Mask
    """Where the result is null."""
    failed: Mask
    """Where there is a value that does not fit."""


def arrow() -> Any:
    """The package pyarrow. Raises TickflagError saying how to install it."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise TickflagError("recordings are written with pyarrow: pip install 'tickflag[data]'") from None
    return pyarrow


def cast(column: Any, wanted: Any) -> Cast:
    """Each value as `wanted`."""
    pa = arrow()
    parts = list(_parts(pa, column, wanted))
    array = pa.concat_arrays(parts) if parts else pa.nulls(0, wanted)
    missing = array.is_null().to_numpy(zero_copy_only=False)
    failed = missing & column.is_valid().to_numpy(zero_copy_only=False)
    values = array.to_numpy(zero_copy_only=False) if pa.types.is_floating(wanted) else np.zeros(0)
    return Cast(array, values, missing, failed)


def _parts(pa: Any, column: Any, wanted: Any) -> Any:
    """The cast column in pieces: whole if every value fits, else in halves, down to the value that does not fit."""
    if not len(column):
        return
    try:
        # Any number fits a float; one with more digits is rounded.
        yield column.cast(wanted, safe=not pa.types.is_floating(wanted))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError):
        if len(column) == 1:
            yield pa.nulls(1, wanted)
            return
        half = len(column) // 2
        yield from _parts(pa, column.slice(0, half), wanted)
        yield from _parts(pa, column.slice(half), wanted)
