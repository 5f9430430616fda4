"""Entries: the parts of an answer as arrays in the order of the market's symbols.

numpy would take a data frame by position, whatever its rows are called, and would drop the mask of a masked array. So a
frame is taken by its labels, what is masked or missing stays missing, and a type that is not known here is refused.
Neither pandas nor polars is imported: whoever answers with a frame has imported its library.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflag.common.arrays import Mask

Symbols = Callable[[], Sequence[str]]
WANTED = "wanted a bool or float array, (mask, scores) or (mask, scores, notes)"
_BOOLS = (bool, np.bool_)
_NUMBERS = (int, float, np.integer, np.floating)
_SCALARS = (bool, int, float, np.generic)  # one value is refused for its shape


class AnswerError(Exception):
    """A hook gave an answer that it may not give; the text says what it gave."""


class LabelledEntries:
    """Entries with the labels that say whose they are. Without labels they stand in the order of the symbols."""

    def __init__(self, given: Any, values: npt.NDArray[Any], kind: str, labels: list[Any] | None) -> None:
        """`kind` is that of a numpy type; where it is `i`, the values may be floats, as NaN is no whole number."""
        self._described, self._values, self._labels = described(given), values, labels
        self.kind = kind

    def in_order(self, symbols: Sequence[str]) -> bool:
        """Whether the entries stand in the order of the symbols."""
        return self._labels is None or self._labels == list(symbols)

    def placed(self, symbols: Sequence[str]) -> npt.NDArray[Any]:
        """An entry for each symbol; one without a label is False or NaN. Raises AnswerError for labels that are no
        symbols or come twice."""
        labels = self._labels
        if labels is None or self.in_order(symbols):
            return self._values
        places = {name: place for place, name in enumerate(symbols)}
        unknown = [label for label in labels if label not in places]
        if unknown:
            raise AnswerError(f"gave {self._described} with the label {unknown[0]!r}, not one of `market.symbols`")
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise AnswerError(f"gave {self._described} with several entries for {twice!r}")
        out = _missing(self.kind, len(places))
        out[[places[label] for label in labels]] = self._values
        return out


def read(part: Any, n: int, kind: str) -> npt.NDArray[Any] | LabelledEntries:
    """A part of an answer for `n` symbols. A column in which nothing is known is taken for one of this `kind`.

    Raises AnswerError for a frame whose rows cannot be told, and TypeError for a type that is no answer.
    """
    if isinstance(part, np.ma.MaskedArray):
        return _unmasked(part)
    if isinstance(part, (np.ndarray, *_SCALARS)):
        return np.asarray(part)
    if isinstance(part, list):
        return _of_list(part)
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None:
        if isinstance(part, pandas.DataFrame):
            return _of_frame(pandas, part, n, kind)
        if isinstance(part, pandas.Series):
            return _of_series(pandas, part, part, _labels(pandas, part, n), kind)
        if isinstance(part, pandas.api.extensions.ExtensionArray):
            return _of_series(pandas, part, pandas.Series(part), None, kind)
    if polars is not None:
        if isinstance(part, polars.DataFrame):
            return _of_polars(polars, part, kind)
        if isinstance(part, polars.Series):
            raise AnswerError(
                "gave a polars Series, which does not say whose its entries are: give a frame of it and the column "
                "`symbol`, or an array in the order of `market.symbols`"
            )
    raise TypeError


def in_order(part: Any, n: int, symbols: Symbols) -> bool:
    """Whether a part that `read` takes stands in the order of the symbols."""
    entries = read(part, n, "b")
    return not isinstance(entries, LabelledEntries) or entries.in_order(symbols())


def described(given: Any) -> str:
    """What a hook gave, for an error."""
    if isinstance(given, np.ndarray):
        return f"an array of {given.dtype}"
    name = type(given).__name__
    dtype = getattr(given, "dtype", None)
    of = "" if dtype is None or isinstance(given, np.generic) else f" of {dtype}"
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}{of}"


def _unmasked(part: "np.ma.MaskedArray[Any, Any]") -> npt.NDArray[Any]:
    """What is masked becomes False or NaN."""
    mask, under = np.ma.getmaskarray(part), part.data
    if under.dtype.kind == "b":
        return np.asarray(under & ~mask)
    return np.where(mask, np.nan, under) if under.dtype.kind in "fiu" and mask.any() else under


def _of_list(part: list[Any]) -> npt.NDArray[Any]:
    """A list of truths or of numbers as an array. Raises TypeError for any other."""
    array = np.asarray(part)
    if array.dtype.kind == "b":
        return array
    types = set(map(type, part))
    if not all(issubclass(one, _NUMBERS) and not issubclass(one, _BOOLS) for one in types):
        raise TypeError  # of a truth among numbers numpy has made a number: the score 0 of a False
    return array


def _of_frame(pandas: Any, frame: Any, n: int, kind: str) -> LabelledEntries:
    """The one column beside the symbols, which are the column `symbol` or the index."""
    names = frame.columns.tolist()
    column = frame.iloc[:, _only(frame, [name for name in names if name != "symbol"], names)]
    if "symbol" in names:
        return _of_series(pandas, frame, column, frame.iloc[:, names.index("symbol")].tolist(), kind)
    return _of_series(pandas, frame, column, _labels(pandas, frame, n), kind)


def _only(frame: Any, others: list[Any], names: list[Any]) -> int:
    if len(others) != 1:
        shown = ", ".join(map(str, names)) or "none"
        raise AnswerError(f"gave {described(frame)} with the columns {shown}; wanted one column beside the symbols")
    return names.index(others[0])


def _labels(pandas: Any, frame: Any, n: int) -> list[Any] | None:
    """The index of a series or frame of pandas; None for the default one, whose entries stand in order."""
    labels: list[Any] = frame.index.tolist()
    if not (isinstance(frame.index, pandas.RangeIndex) or pandas.api.types.is_integer_dtype(frame.index.dtype)):
        return labels
    if labels != list(range(n)):
        raise AnswerError(
            f"gave {described(frame)} whose index is neither symbols nor 0 to {n - 1} in order: keep the symbols as "
            "its index"
        )
    return None


def _of_series(pandas: Any, given: Any, series: Any, labels: list[Any] | None, default: str) -> LabelledEntries:
    dtype, types, values = series.dtype, pandas.api.types, np.asarray(series, object)
    missing = np.asarray(series.isna())
    kinds = (("b", types.is_bool_dtype), ("i", types.is_integer_dtype), ("f", types.is_float_dtype))
    kind = next((kind for kind, holds in kinds if holds(dtype)), "")
    if not kind and types.is_object_dtype(dtype):
        kind = _kind_of(given, values[~missing]) or default
    if not kind:
        raise AnswerError(f"gave {described(given)}{'' if given is series else f' with {dtype}'}; {WANTED}")
    return _of_values(given, values, missing, kind, labels)


def _of_polars(polars: Any, frame: Any, default: str) -> LabelledEntries:
    names = frame.columns
    if "symbol" not in names:
        raise AnswerError(
            "gave a polars DataFrame without the column `symbol`, which says whose its entries are: keep that column"
        )
    column = frame[names[_only(frame, [name for name in names if name != "symbol"], names)]]
    dtype = column.dtype
    if not (dtype.is_integer() or dtype.is_float() or dtype in (polars.Boolean, polars.Null)):
        raise AnswerError(f"gave a polars DataFrame with {dtype}; {WANTED}")
    kind = "i" if dtype.is_integer() else "f" if dtype.is_float() else "b" if dtype == polars.Boolean else default
    missing = np.asarray(column.is_null().to_numpy())
    return _of_values(frame, np.array(column.to_list(), object), missing, kind, frame["symbol"].to_list())


def _kind_of(given: Any, known: npt.NDArray[Any]) -> str:
    """The kind of these objects; empty where there are none."""
    types = set(map(type, known))
    if all(issubclass(one, _BOOLS) for one in types):
        return "b" if types else ""
    if not all(issubclass(one, _NUMBERS) and not issubclass(one, _BOOLS) for one in types):
        raise AnswerError(f"gave {described(given)} with entries of other types than bool or float; {WANTED}")
    return "i" if all(issubclass(one, int | np.integer) for one in types) else "f"


def _of_values(
    given: Any, values: npt.NDArray[Any], missing: Mask, kind: str, labels: list[Any] | None
) -> LabelledEntries:
    """The entries of a column as objects."""
    out = _missing(kind, len(values))
    out[~missing] = values[~missing]
    return LabelledEntries(given, out, kind, labels)


def _missing(kind: str, n: int) -> npt.NDArray[Any]:
    """`n` entries that are no match, or no score."""
    return np.zeros(n, np.bool_) if kind == "b" else np.full(n, np.nan)
