"""ListingChanges: the symbols that were delisted, or trade again, since they were evaluated.

Every such change is an update on the ticker channel. An interval's channel announces closed candles only, and its
versions count these. So a trader that waits on an interval compares the status of every row whenever the feed's count
of status changes has grown.
"""

import numpy as np

from tickflag.common.arrays import NO_SLOTS, ByteMask, Slots, Versions
from tickflag.common.protocol.status import STATUS_CHANGES, status_changes
from tickflag.common.segment.segment import Segment


class ListingChanges:
    """Finds every change of status after its creation: create it before the first row is read. One thread."""

    def __init__(self, segment: Segment) -> None:
        self._living = segment.arrays.living
        self._plain = self._living.data
        self._statuses = segment.arrays.tickers["status"]
        self._committed_count = self._found_count = status_changes(self._living)
        self._committed = self._found = self._statuses.copy()

    def pending(self) -> bool:
        """Whether a status changed. A plain load, in no order with other accesses: `changed` looks again."""
        return bool(self._plain[STATUS_CHANGES] != self._committed_count)

    def changed(self, watched: ByteMask, seen: Versions) -> Slots:
        """The watched symbols that were last evaluated with another status than they have now."""
        self._found_count = status_changes(self._living)  # before the rows: what was counted is in them
        self._found = self._statuses.copy()
        return np.flatnonzero((self._found != self._committed) & (watched != 0) & (seen != 0)).astype(np.int32)

    def commit(self) -> None:
        """Note that all symbols that `changed` gave were evaluated, on rows that were read after that call."""
        self._committed, self._committed_count = self._found, self._found_count


class NoListingChanges:
    """For the ticker channel, which flags changes of status itself."""

    def pending(self) -> bool:
        return False

    def changed(self, _watched: ByteMask, _seen: Versions) -> Slots:
        return NO_SLOTS

    def commit(self) -> None:
        pass
