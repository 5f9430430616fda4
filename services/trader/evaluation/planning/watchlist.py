"""WatchList: which symbols a trader cares about, as one byte a slot."""

import fnmatch
import re
from collections.abc import Sequence

import numpy as np

from tickflag.common.arrays import ByteMask


class WatchList:
    """A mask made of patterns: 1 for each slot whose symbol is wanted. `extend` it as the symbol table grows."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str], capacity: int) -> None:
        self._include = _compiled(include)
        self._exclude = _compiled(exclude)
        self.mask: ByteMask = np.zeros(capacity, np.uint8)
        self._known = 0

    def extend(self, names: Sequence[str]) -> None:
        """Set the mask of the symbols added since the last call; `names` are those of all symbols."""
        for slot in range(self._known, len(names)):
            self.mask[slot] = self.wants(names[slot])
        self._known = len(names)

    def wants(self, name: str) -> bool:
        """Whether the symbol matches a pattern of `include` and none of `exclude`."""
        return bool(self._include.match(name)) and not self._exclude.match(name)


def _compiled(patterns: Sequence[str]) -> re.Pattern[str]:
    """One expression for all patterns; without patterns, one that never matches."""
    return re.compile("|".join(f"(?:{fnmatch.translate(pattern)})" for pattern in patterns) or r"(?!)")
