"""State: a trader's own numbers of each symbol, kept from one evaluation to the next."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tickflag.common.arrays import Records

TYPES = {bool: "?", int: "<i8", float: "<f8"}
NAMES = {"b": "true or false", "i": "a whole number", "f": "a number with a fraction"}


def record(declared: Mapping[str, bool | int | float]) -> Records:
    """One symbol's initial numbers, as an array without dimensions."""
    dtype = np.dtype([(name, TYPES[type(value)]) for name, value in declared.items()])
    return np.array(tuple(declared.values()), dtype)


class State:
    """The declared numbers by name, to read and to set: an array with an entry a symbol, or one symbol's number.

    What is set is kept when the cycle succeeds, once for each version of the symbol's row. Where a symbol is evaluated
    again although its row did not change, the trader gets the numbers from before the row's last change, and what it
    sets is dropped.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Any) -> None:
        object.__setattr__(self, "_values", values)

    def __getattr__(self, name: str) -> Any:
        return self._values[self._known(name)]

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._values.dtype[self._known(name)]
        if _loses(value):
            raise TypeError(
                f"state {name!r} was set to a {type(value).__name__}, of which numpy takes the entries by position and "
                "drops the rest: give a plain array in the order of `market.symbols`"
            )
        given = np.asarray(value).dtype
        if not np.can_cast(given, kind, "same_kind"):  # numpy would silently cut off what does not fit
            raise TypeError(f"state {name!r} is {NAMES[kind.kind]} as declared, and was set to {given}")
        self._values[name] = value

    def _known(self, name: str) -> str:
        names = self._values.dtype.names
        if name not in names:
            raise AttributeError(f"state {name!r} is not declared: add it to `state` (now {', '.join(names)})")
        return name


def _loses(value: Any) -> bool:
    """Whether numpy would drop a part of the value: the labels of a data frame, or the mask of a masked array."""
    if isinstance(value, np.ma.MaskedArray):
        return True
    return hasattr(value, "__array__") and not isinstance(value, np.ndarray | np.generic)
