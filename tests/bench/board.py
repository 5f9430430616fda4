"""Board: a few words that the processes of a run share, and files of times, each written by one process."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

WORDS = 64
START = 0  # monotonic ns at which the load begins; 0: not yet
GENERATED = 1  # ticks handed over so far
READY = 8  # one word for each participant from here on: 1 when it is ready
ROWS = 16  # one word for each trader: symbols evaluated
LOOKS = 24  # one word for each trader: evaluations
DONE = 32  # one word for each participant: 1 when all its work is done


def create(path: Path, count: int) -> None:
    """Make a file of that many zero words."""
    with path.open("wb") as file:
        file.truncate(count * 8)


def opened(path: Path) -> npt.NDArray[np.int64]:
    """The words of a file, shared with every process that has it open."""
    return np.asarray(np.memmap(path, np.int64, "r+"))


def words(path: Path) -> memoryview:
    """As `opened`, for single words: a view of memory reads and writes these faster than an array."""
    return opened(path).data
