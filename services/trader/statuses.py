"""Statuses: which symbols were delisted, or trade again, since they were evaluated.

Every such change is an update of the ticker channel. The channel of an interval tells of closed candles only, and its
versions count these: so whoever waits on one looks at the rows' statuses whenever the feed counts a change of any.
"""

import numpy as np
import numpy.typing as npt

from common.atomics import load_acquire
from common.layout import COUNTER
from common.segment import Segment

_CHANGES = COUNTER["status_changes"]


class Statuses:
    """One thread. Create it before the first row is read: what changes from then on is found."""

    def __init__(self, segment: Segment) -> None:
        self._living = segment.arrays.living
        self._plain = memoryview(self._living)  # type: ignore[arg-type] # numpy arrays are buffers
        self._live = segment.arrays.tickers["status"]
        self._done = self._looked = load_acquire(self._living, _CHANGES)
        self._held = self._now = self._live.copy()

    def pending(self) -> bool:
        """A status changed. A plain look, in no order with other accesses: `changed` looks again."""
        return bool(self._plain[_CHANGES] != self._done)

    def changed(self, watched: npt.NDArray[np.uint8], seen: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """The watched symbols whose status is another one than at the last commit, and that were evaluated by then."""
        self._looked = load_acquire(self._living, _CHANGES)  # before the rows: what was counted is in them
        self._now = self._live.copy()
        return np.flatnonzero((self._now != self._held) & (watched != 0) & (seen != 0)).astype(np.int32)

    def commit(self) -> None:
        """All that `changed` gave was evaluated, on rows that were read after it."""
        self._held, self._done = self._now, self._looked
