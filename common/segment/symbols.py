"""Symbols: slot <-> name, O(1) both ways. Within a generation slots are only ever added."""

import difflib

from tickflag.common.arrays import Integers
from tickflag.common.errors import SymbolTableFull, TickflagError
from tickflag.common.jit import kernel
from tickflag.common.segment import layout
from tickflag.common.segment.atomics import load_acquire, store_release
from tickflag.common.segment.segment import Segment


@kernel
def _read_count(living: Integers) -> int:
    # Pairs with _publish_count: the names below the count are complete.
    return int(load_acquire(living, layout.SYMBOL_COUNT))


@kernel
def _publish_count(living: Integers, count: int) -> None:
    store_release(living, layout.SYMBOL_COUNT, count)


class SymbolTable:
    """The feed's side: gives every symbol its slot, once. One thread."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._slots: dict[str, int] = {}
        for slot in range(int(segment.arrays.living[layout.SYMBOL_COUNT])):
            self._slots[segment.names[slot].decode()] = slot

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, name: object) -> bool:
        return name in self._slots

    @property
    def names(self) -> list[str]:
        """All symbols, by slot."""
        return list(self._slots)

    def slot(self, name: str) -> int:
        """The symbol's slot; a new symbol gets the next one.

        Raises SymbolTableFull, and TickflagError for a name that is empty or too long.
        """
        slot = self._slots.get(name)
        if slot is not None:
            return slot
        try:
            encoded = name.encode()
        except UnicodeEncodeError:  # a lone surrogate
            encoded = b""
        if not 0 < len(encoded) < layout.NAME_BYTES or "\0" in name:
            raise TickflagError(f"symbol {name[:80]!r}: a name has 1 to {layout.NAME_BYTES - 1} bytes of UTF-8")
        slot = len(self._slots)
        if slot >= self._segment.layout.capacity:
            raise SymbolTableFull(
                f"symbol {name!r} refused: all {slot:,} slots are taken; "
                "raise `segment.capacity` or set `segment.growth`"
            )
        self._segment.names[slot] = encoded
        self._slots[name] = slot
        _publish_count(self._segment.arrays.living, slot + 1)  # after the name; before the first row and flag
        return slot


class SymbolDirectory:
    """A reader's side: follows the table as it grows."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self.names: list[str] = []
        self._slots: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def refresh(self, count: int | None = None) -> int:
        """Read the symbols added since the last call; gives the number of symbols."""
        if count is None:
            count = _read_count(self._segment.arrays.living)
        for slot in range(len(self.names), count):
            name = self._segment.names[slot].decode()
            self.names.append(name)
            self._slots[name] = slot
        return len(self.names)

    def slot(self, name: str) -> int | None:
        return self._slots.get(name)

    def find(self, name: str) -> int:
        """The slot of a symbol that a user named. Raises TickflagError with similar names."""
        slot = self._slots.get(name)
        if slot is None:
            near = difflib.get_close_matches(name, self.names, 3, 0.4)
            hint = f": did you mean {', '.join(near)}?" if near else ""
            raise TickflagError(f"no symbol {name!r} among the {len(self):,} of the segment{hint}")
        return slot
