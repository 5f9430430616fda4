"""WatchList: which symbols a trader cares about, as one byte a slot."""

import fnmatch
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class WatchList:
    """Patterns in, mask out; follows the symbol table as it grows."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str], capacity: int) -> None:
        self._include = _compiled(include)
        self._exclude = _compiled(exclude)
        self.mask: npt.NDArray[np.uint8] = np.zeros(capacity, np.uint8)
        self._known = 0

    def extend(self, names: Sequence[str]) -> None:
        """Take in the symbols added since the last call; `names` are all of them."""
        for slot in range(self._known, len(names)):
            self.mask[slot] = self.wants(names[slot])
        self._known = len(names)

    def wants(self, name: str) -> bool:
        return bool(self._include.match(name)) and not self._exclude.match(name)


def _compiled(patterns: Sequence[str]) -> re.Pattern[str]:
    """One expression for all patterns; one that never matches for none."""
    return re.compile("|".join(f"(?:{fnmatch.translate(pattern)})" for pattern in patterns) or r"(?!)")
