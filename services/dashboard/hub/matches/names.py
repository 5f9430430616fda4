"""Names: a number for each name, once and for good, with what tables need of the names as arrays."""

import numpy as np
from numpy.typing import NDArray

KEPT = 32  # texts whose masks are kept


class Names:
    """Grows only. One thread."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._ranks = np.zeros(0, np.int64)
        self._masks: dict[str, NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """The number of a name; a new name gets the next one."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        return number

    def find(self, name: str) -> int | None:
        """The number of a name; None where it is not known."""
        return self._numbers.get(name)

    def ranks(self) -> NDArray[np.int64]:
        """By number: the place of the name in the order of the alphabet."""
        if len(self._ranks) != len(self.names):
            self._ranks = np.zeros(len(self.names), np.int64)
            self._ranks[sorted(range(len(self.names)), key=self.names.__getitem__)] = np.arange(len(self.names))
        return self._ranks

    def containing(self, text: str) -> NDArray[np.bool_]:
        """By number: whether the name contains the text, in capitals or not."""
        wanted = text.casefold()
        mask = self._masks.pop(wanted, None)
        done = 0 if mask is None else len(mask)
        if done != len(self.names) or mask is None:
            fresh = np.fromiter((wanted in name.casefold() for name in self.names[done:]), bool)
            mask = fresh if mask is None else np.concatenate((mask, fresh))
        self._masks[wanted] = mask  # the last used is last
        while len(self._masks) > KEPT:
            del self._masks[next(iter(self._masks))]
        return mask
