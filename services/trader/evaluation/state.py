"""StateStore: a trader's own numbers of each symbol. They advance once for each version of a row, and with its commit.

Beside the numbers after a symbol's last version stand those before it. A version evaluated again, in a pass over
everything, gets the latter: it gives the same answer as the first time, and changes nothing.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from common.traderapi.state import record

Slots = npt.NDArray[np.int32]
Versions = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]


class StateStore:
    """Numbers by slot while a generation lasts, carried over by name. What is set is kept aside until `commit`."""

    def __init__(self, declared: Mapping[str, bool | int | float]) -> None:
        self._initial = record(declared)
        self._names: list[str] = []
        self._carried: dict[str, Any] = {}
        self._allocate(0)

    @property
    def kind(self) -> str:
        """Names and types of the numbers."""
        return str(self._initial.dtype.descr)

    def begin_generation(self, capacity: int, names: list[str]) -> None:
        """Slots mean something else from now on; `names` is the new directory's list, which grows."""
        for slot, name in enumerate(self._names):
            self._carried[name] = (self._before[slot], self._after[slot])
        self._names = names
        self._allocate(capacity)

    def place(self, first: int) -> None:
        """Symbols from slot `first` on are new in the directory: numbers carried over get their slot."""
        if self._carried:
            for slot in range(first, len(self._names)):
                numbers = self._carried.pop(self._names[slot], None)
                if numbers is not None:
                    self._before[slot], self._after[slot] = numbers

    def begin(self, slots: Slots, versions: Versions, seen: Versions) -> None:
        """These rows are to be evaluated at `versions`; `seen` are the versions of the last commit, by slot."""
        again = versions == seen[slots]
        self._work[slots] = np.where(again, self._before[slots], self._after[slots])

    def lend(self, slots: Slots) -> Records:
        """A copy of the rows' numbers for one evaluation. Give it back with `take_back` when that succeeded."""
        self._base[slots] = self._work[slots]
        return self._work[slots]

    def take_back(self, slots: Slots, values: Records) -> None:
        """What the evaluation left in what was lent; the next one of these rows, of a later close, begins with it."""
        self._work[slots] = values

    def commit(self, slots: Slots, versions: Versions, seen: Versions) -> None:
        """The cycle succeeded. `seen` are still the versions of the last commit."""
        new = slots[versions != seen[slots]]
        self._before[new] = self._base[new]
        self._after[new] = self._work[new]

    def saved(self, seen: Mapping[str, int]) -> dict[str, tuple[int, bytes, bytes]]:
        """Symbol -> version seen last, as in `seen` (0: none), numbers before and after it, for `restore` in a
        successor's store."""
        numbers = dict(self._carried)
        for slot, name in enumerate(self._names):
            numbers[name] = (self._before[slot], self._after[slot])
        return {
            name: (seen.get(name, 0), before.tobytes(), after.tobytes()) for name, (before, after) in numbers.items()
        }

    def restore(self, numbers: Mapping[str, tuple[int, bytes, bytes]]) -> None:
        """Begin with what a predecessor of the same `kind` saved. Before the first generation."""
        for symbol, words in numbers.items():
            before, after = (np.frombuffer(raw, self._initial.dtype)[0] for raw in words[1:])
            self._carried[symbol] = (before, after)

    def _allocate(self, capacity: int) -> None:
        self._before, self._after, self._base, self._work = (np.repeat(self._initial, capacity) for _ in range(4))
