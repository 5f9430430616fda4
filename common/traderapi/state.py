"""State: a trader's own numbers of each symbol, from one evaluation to the next."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

TYPES = {bool: "?", int: "<i8", float: "<f8"}
NAMES = {"b": "true or false", "i": "a whole number", "f": "a number with a fraction"}


def record(declared: Mapping[str, bool | int | float]) -> npt.NDArray[np.void]:
    """One symbol's numbers as they are at first, as an array without dimensions."""
    dtype = np.dtype([(name, TYPES[type(value)]) for name, value in declared.items()])
    return np.array(tuple(declared.values()), dtype)


class State:
    """The declared numbers by name, to read and to set: an array with an entry a symbol, or one symbol's number.

    What is set counts once the cycle succeeded, and once for each version of the symbol's row: where a symbol is
    evaluated again unchanged, its numbers are those before its last change, and what is set is dropped.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Any) -> None:
        object.__setattr__(self, "_values", values)

    def __getattr__(self, name: str) -> Any:
        return self._values[self._known(name)]

    def __setattr__(self, name: str, value: Any) -> None:
        kind, given = self._values.dtype[self._known(name)], np.asarray(value).dtype
        if not np.can_cast(given, kind, "same_kind"):  # numpy would cut off what the declared kind cannot hold
            raise TypeError(f"state {name!r} is {NAMES[kind.kind]} as declared, and was set to {given}")
        self._values[name] = value

    def _known(self, name: str) -> str:
        names = self._values.dtype.names
        if name not in names:
            raise AttributeError(f"state {name!r} is not declared: add it to `state` (now {', '.join(names)})")
        return name
