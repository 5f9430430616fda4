"""StateStore: a trader's own numbers of each symbol. They advance once for each version of a row, at its commit.

The store keeps the numbers from after a symbol's last version and those from before it. When a pass over everything
evaluates a version again, the trader gets the numbers from before it: so it gives the same answer, and nothing
advances.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tickflag.common.arrays import Records, Slots, Versions
from tickflag.common.traderapi.state import record


class StateStore:
    """Keeps numbers by slot within a generation, and carries them over by name. What a trader sets counts from `commit`
    on."""

    def __init__(self, declared: Mapping[str, bool | int | float]) -> None:
        self._initial = record(declared)
        self._names: list[str] = []
        self._carried: dict[str, Any] = {}
        self._allocate(0)

    @property
    def kind(self) -> str:
        """Names and types of the numbers; empty for a trader that remembers none."""
        return str(self._initial.dtype.descr)

    def begin_generation(self, capacity: int, names: list[str]) -> None:
        """Carry the numbers over by name. `names` are the new generation's symbols by slot: the directory's own list,
        which grows."""
        for slot, name in enumerate(self._names):
            self._carried[name] = (self._before[slot], self._after[slot])
        self._names = names
        self._allocate(capacity)

    def place(self, first: int) -> None:
        """Give carried numbers their slots. The symbols from slot `first` on are new in the directory."""
        if self._carried:
            for slot in range(first, len(self._names)):
                numbers = self._carried.pop(self._names[slot], None)
                if numbers is not None:
                    self._before[slot], self._after[slot] = numbers

    def begin(self, slots: Slots, versions: Versions, seen: Versions) -> None:
        """Choose the numbers with which rows are evaluated at `versions`; `seen` has the versions of the last commit by
        slot."""
        again = versions == seen[slots]
        self._work[slots] = np.where(again, self._before[slots], self._after[slots])

    def lend(self, slots: Slots) -> Records:
        """A copy of the rows' numbers for one evaluation. Give it to `take_back` when the evaluation succeeded."""
        self._base[slots] = self._work[slots]
        return self._work[slots]

    def take_back(self, slots: Slots, values: Records | None) -> None:
        """Keep the numbers as an evaluation left them. The evaluation of a later close begins with them."""
        self._work[slots] = values

    def commit(self, slots: Slots, versions: Versions, seen: Versions) -> None:
        """Make the numbers count, as the cycle succeeded. `seen` still has the versions of the commit before."""
        new = slots[versions != seen[slots]]
        self._before[new] = self._base[new]
        self._after[new] = self._work[new]

    def saved(self, seen: Mapping[str, int]) -> dict[str, tuple[int, bytes, bytes]]:
        """Symbol -> (version in `seen` or 0, numbers before it, numbers after it), for a successor's `restore`."""
        numbers = dict(self._carried)
        for slot, name in enumerate(self._names):
            numbers[name] = (self._before[slot], self._after[slot])
        return {
            name: (seen.get(name, 0), before.tobytes(), after.tobytes()) for name, (before, after) in numbers.items()
        }

    def restore(self, numbers: Mapping[str, tuple[int, bytes, bytes]]) -> None:
        """Begin with what a predecessor of the same `kind` saved. Call it before the first generation."""
        for symbol, words in numbers.items():
            before, after = (np.frombuffer(raw, self._initial.dtype)[0] for raw in words[1:])
            self._carried[symbol] = (before, after)

    def _allocate(self, capacity: int) -> None:
        self._before, self._after, self._base, self._work = (np.repeat(self._initial, capacity) for _ in range(4))


class NoState:
    """In place of a StateStore, for a trader that remembers nothing."""

    kind = ""

    def begin_generation(self, _capacity: int, _names: list[str]) -> None:
        pass

    def place(self, _first: int) -> None:
        pass

    def begin(self, _slots: Slots, _versions: Versions, _seen: Versions) -> None:
        pass

    def lend(self, _slots: Slots) -> Records | None:
        return None

    def take_back(self, _slots: Slots, _values: Records | None) -> None:
        pass

    def commit(self, _slots: Slots, _versions: Versions, _seen: Versions) -> None:
        pass

    def saved(self, _seen: Mapping[str, int]) -> dict[str, tuple[int, bytes, bytes]]:
        return {}

    def restore(self, _numbers: Mapping[str, tuple[int, bytes, bytes]]) -> None:
        pass
