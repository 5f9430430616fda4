"""ChannelReader: a reader's place in one channel, and what it has to process next, by flags or by versions."""

import enum
from typing import NamedTuple

import numpy as np

from tickflag.common.arrays import ByteMask, Slots, Versions
from tickflag.common.jit import direct
from tickflag.common.protocol.cycles import (
    commit_seen,
    copy_flags,
    observe,
    oldest_update,
    select_changed,
    select_flagged,
)
from tickflag.common.segment.layout import CLOSED, CONTROL_WORDS
from tickflag.common.segment.segment import Segment


class Route(enum.Enum):
    """How a reader found what to process."""

    NOTHING = "nothing"  # no new cycle was closed
    FAST = "fast"  # by the flags of the one cycle it missed
    EXACT = "exact"  # by comparing versions
    ALL = "all"  # every symbol, as asked


class Take(NamedTuple):
    """What to process so that everything announced up to `target` is covered. Commit it, or drop it and take again."""

    route: Route
    target: int
    slots: Slots  # ascending; valid until the next take
    flagged: int  # symbols announced as changed, or found changed
    already_seen: int
    not_watched: int
    symbols: int  # in the market
    lapped: bool = False  # the flags of a cycle that was not taken are gone: versions were compared instead


class ChannelReader:
    """A reader's place in one channel of one generation. One thread; writes nothing shared.

    `watched` has one byte for each slot of the segment's capacity. The caller owns `watched` and fills in new symbols
    between `observe` and `take`. Raises ValueError where `watched` has another length.
    """

    def __init__(self, segment: Segment, channel: int, watched: ByteMask) -> None:
        if watched.shape != (segment.layout.capacity,):
            raise ValueError(f"`watched` needs {segment.layout.capacity} bytes, not {watched.shape}")
        arrays = segment.arrays
        self._control, self._living = arrays.control, arrays.living
        self._cycles, self._flags = arrays.cycles, arrays.flags
        self.channel = channel
        self.versions = arrays.versions if channel == 0 else arrays.heads[channel - 1]
        self.seen = np.zeros(segment.layout.capacity, np.int64)
        """By slot: the version processed last, 0 for none."""
        self.watched = watched
        self.done = 0
        """Everything announced up to this cycle is covered."""
        self.covered = 0
        """Symbols processed at least once: those that a pass over everything would take."""
        self._words = np.zeros(segment.layout.flag_words, np.uint32)
        self._slots = np.zeros(segment.layout.capacity, np.int32)
        self.arrays = (
            self._control, self._living, self._cycles, self._flags,
            self._words, self.versions, self.seen, watched, self._slots,
        )  # fmt: skip
        """The first arguments of the fast path's kernels, in their order."""
        self._commit_seen = direct(commit_seen, self.seen, self._slots, self.seen)
        self._plain = self._control.data
        self._closed = channel * CONTROL_WORDS + CLOSED
        # Requests for an exact take are numbered. A request made during a take is served by the next one.
        # The first request is made here, as nothing was seen yet.
        self._required, self._answered, self._answering = 1, 0, 0
        self._rows_locked = False
        self._trouble = ""

    def pop_trouble(self) -> str:
        """What was wrong with the flags since the last call; empty where nothing was.

        No update is lost by it, as the next take compares versions.
        """
        trouble, self._trouble = self._trouble, ""
        return trouble

    @property
    def owes_exact(self) -> bool:
        """True where the next take compares versions: after a start or a failure, or where a row could not be read."""
        return self._answered != self._required or self._rows_locked

    @property
    def rows_locked(self) -> bool:
        """True where a row that the last take needed could not be read."""
        return self._rows_locked

    def require_exact(self) -> None:
        """Make the next take compare versions: after a failed cycle, or when `seen` or `watched` was changed."""
        self._required += 1

    def note_locked(self) -> None:
        """Note that a needed row could not be read: the next take compares versions, whatever is announced."""
        self._rows_locked = True

    def pending(self) -> bool:
        """True where a take may find something. A plain load does here, as `observe` loads `closed` with acquire."""
        return self._plain[self._closed] > self.done or self.owes_exact

    def observe(self) -> tuple[int, int]:
        """(last closed cycle, symbol count)."""
        return observe(self._control, self._living, self.channel)

    def take(self, closed: int, count: int, everything: bool = False) -> Take:
        """What must be processed. `closed` and `count` are of a fresh `observe`; `watched` covers `count` symbols."""
        self._answering = self._required
        if closed < self.done:
            self._suspect(f"the closed cycle went back from {self.done} to {closed}")
        if everything or self.owes_exact or closed > self.done + 1:
            return self._exact(closed, count, everything, lapped=0 < self.done < closed - 1)
        if closed <= self.done:
            return Take(Route.NOTHING, self.done, self._slots[:0], 0, 0, 0, count)
        if not copy_flags(self._control, self._flags, self.channel, closed, self._words):
            # Lapped: the buffer holds a later cycle. The exact path covers the `closed` that was observed, as `count`
            # belongs to it. The next take covers what was announced since.
            if self.observe()[0] == closed:
                self._suspect("a buffer does not bear the stamp of its cycle")
            return self._exact(closed, count, False, lapped=True)
        told = select_flagged(self._words, count, self.versions, self.seen, self.watched, self._slots)
        return self.taken(closed, *told, count)

    def taken(self, closed: int, n: int, known: int, foreign: int, beyond: int, count: int) -> Take:
        """The take of the fast path by the numbers that the kernels gave; its `n` slots are in the last of `arrays`."""
        self._answering = self._required
        if beyond:
            self._suspect("a flag is set beyond the last symbol")
            foreign += beyond
        return Take(Route.FAST, closed, self._slots[:n], n + known + foreign, known, foreign, count)

    def commit(self, take: Take, slots: Slots, versions: Versions, retry: bool) -> None:
        """The take's work succeeded: `slots` were processed at `versions`; `retry` says that some could not be read.

        The arrays must be contiguous.
        """
        self.covered += self._commit_seen(self.seen, slots, versions)
        self.done = take.target
        self._answered = self._answering
        self._rows_locked = retry

    def oldest_ns(self, take: Take) -> int:
        """Monotonic ns of the oldest update the take covers, 0 where unknown."""
        return oldest_update(self._cycles, self.channel, self.done + 1, take.target)

    def _suspect(self, trouble: str) -> None:
        self._trouble = self._trouble or trouble
        self.require_exact()

    def _exact(self, closed: int, count: int, everything: bool, lapped: bool) -> Take:
        n = select_changed(count, self.versions, self.seen, self.watched, everything, self._slots)
        route = Route.ALL if everything else Route.EXACT
        return Take(route, max(closed, self.done), self._slots[:n], n, 0, 0, count, lapped)
