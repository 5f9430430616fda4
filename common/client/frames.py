"""Frames: turns columns of numpy into a data frame of the library that the user has."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tickflag.common.arrays import Integers
from tickflag.common.errors import TickflagError

Kind = Literal["pandas", "polars", "numpy"]
Columns = Mapping[str, NDArray[Any]]
Maker = Callable[[Columns, Sequence[str]], Any]
"""Makes a frame of columns; the second argument names the index columns, for a library with indexes."""


def maker(kind: Kind | None) -> Maker:
    """The maker for `kind`, else for the first library that is installed. Raises TickflagError for a missing one."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    if kind is None:
        kind = next(one for one in kinds if one == "numpy" or importlib.util.find_spec(one))
    if kind not in kinds:
        raise TickflagError(f"frame {kind!r}: use one of {', '.join(kinds)}")
    if kind != "numpy" and importlib.util.find_spec(kind) is None:
        raise TickflagError(f"{kind} is not installed: pip install {kind}, or ask for another `frame`")
    return {"pandas": _of_pandas, "polars": _of_polars, "numpy": _of_numpy}[kind]


def column(values: Sequence[Any]) -> NDArray[Any]:
    """Values of a document as an array of numbers, booleans or texts; None becomes NaN or an empty text."""
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return np.array(values, np.bool_)
    if kinds == {int}:
        return np.array(values, np.int64)
    if kinds and kinds <= {int, float, type(None)}:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array(["" if value is None else str(value) for value in values], np.str_)


def times(ns: Integers) -> NDArray[np.datetime64]:
    """UTC nanoseconds as times."""
    return ns.astype("datetime64[ns]")


def _of_numpy(columns: Columns, index: Sequence[str]) -> dict[str, NDArray[Any]]:
    return dict(columns)


def _of_pandas(columns: Columns, index: Sequence[str]) -> Any:
    import pandas

    frame = pandas.DataFrame(dict(columns))
    for name in _time_names(columns):
        frame[name] = frame[name].dt.tz_localize("UTC")
    return frame.set_index(list(index)) if index else frame


def _of_polars(columns: Columns, index: Sequence[str]) -> Any:
    import polars

    frame = polars.DataFrame(dict(columns))
    return frame.with_columns(polars.col(name).dt.replace_time_zone("UTC") for name in _time_names(columns))


def _time_names(columns: Columns) -> list[str]:
    return [name for name, values in columns.items() if values.dtype.kind == "M"]
