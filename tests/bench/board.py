"""Board: a few words that the processes of a run share, and logs of times in files that each writes for itself."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

WORDS = 64
START = 0  # monotonic ns at which the load begins; 0: not yet
GENERATED = 1  # ticks handed over so far
READY = 8  # one word a participant from here on: 1 when it is ready
ROWS = 16  # one word a trader: symbols looked at
LOOKS = 24  # one word a trader: evaluations
DONE = 32  # one word a participant: 1 when it has worked off everything


def create(path: Path, count: int) -> None:
    """A file of that many zeros."""
    with path.open("wb") as file:
        file.truncate(count * 8)


def opened(path: Path) -> npt.NDArray[np.int64]:
    """The words of a file, shared with everyone who has it open."""
    return np.asarray(np.memmap(path, np.int64, "r+"))


def words(path: Path) -> memoryview:
    """As `opened`, for reading and writing single words, at which a view of memory is faster than an array."""
    return memoryview(opened(path))  # type: ignore[arg-type] # an array is a buffer
