"""The update protocol of a channel: who may do what, in which order. Zero lost updates rests on this file.

The writer (one thread of the feed) sets flags of the open cycle W in buffer W mod 2 and closes the cycle when it
likes; it never waits. A reader (any process) keeps `done`: everything announced up to that cycle is covered. It either
copies the flags of cycle done+1 and checks that the buffer's stamp did not move meanwhile (fast path), or compares
every symbol's version with the one it saw last (exact path): the truth is in the rows, not in the events.

Invariants: NoLostUpdate, CursorClosed, EventsAreHints, WriterWaitFree, NoStampReuse, Conservation; `docs/protocol.md`
argues them, `tests/model` checks every interleaving of a small instance.
"""

import enum
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from common.atomics import fence_acquire, fence_release, load_acquire, load_relaxed, store_relaxed, store_release
from common.atomics import trailing_zeros as _trailing_zeros
from common.bitset import clear_words, copy_words
from common.jit import kernel
from common.layout import CLOSED, CONTROL_WORDS, CYCLE_RING, OPEN, STAMP, SYMBOL_COUNT, WORD_BITS
from common.segment import Segment

BUFFER_NAMES: Final[tuple[Literal["A"], Literal["B"]]] = ("A", "B")


@kernel
def close_cycle(control: Any, cycles: Any, channel: int, oldest_ns: int) -> int:
    """Announce the open cycle; gives its number. Follow with the swap event, then `open_next`."""
    base = channel * CONTROL_WORDS
    cycle = control[base + OPEN]
    entry = cycles[channel, cycle % CYCLE_RING]
    store_relaxed(entry, 0, 0)  # an entry being replaced belongs to no cycle
    fence_release()
    store_relaxed(entry, 1, oldest_ns)
    store_release(entry, 0, cycle)
    # NoStampReuse: the buffer is named after its cycle only when its last flag is set.
    store_release(control, base + STAMP + cycle % 2, cycle)
    # Pairs with the acquire of `closed` in `observe`: who sees the cycle closed sees its flags, stamp and rows.
    store_release(control, base + CLOSED, cycle)
    return int(cycle)


@kernel
def open_next(control: Any, flags: Any, channel: int) -> None:
    """Take the other buffer for the next cycle."""
    base = channel * CONTROL_WORDS
    cycle = control[base + OPEN] + 1
    # Released after `closed`: a reader that misses the stamp finds that a later cycle was closed.
    store_release(control, base + STAMP + cycle % 2, 0)
    # The stamp falls before the first bit does: pairs with the second look at the stamp in `copy_flags`.
    fence_release()
    clear_words(flags[channel, cycle % 2])
    store_relaxed(control, base + OPEN, cycle)


@kernel
def observe(control: Any, living: Any, channel: int) -> tuple[int, int]:
    """(last closed cycle, symbol count), in this order: the count covers every symbol of the cycle."""
    closed = load_acquire(control, channel * CONTROL_WORDS + CLOSED)
    return closed, load_acquire(living, SYMBOL_COUNT)


@kernel
def copy_flags(control: Any, flags: Any, channel: int, cycle: int, out: Any) -> bool:
    """Copy the flags of `cycle`; False where the buffer no longer holds it (the reader was lapped)."""
    stamp = channel * CONTROL_WORDS + STAMP + cycle % 2
    if load_acquire(control, stamp) != cycle:
        return False
    copy_words(flags[channel, cycle % 2], out)
    fence_acquire()  # the words were loaded before the second look
    return bool(load_relaxed(control, stamp) == cycle)


@kernel
def select_flagged(
    words: Any, count: int, versions: Any, seen: Any, watched: Any, out: Any
) -> tuple[int, int, int, int]:
    """Slots of set bits that are watched and unseen to `out`; gives (how many, already seen, not watched, beyond
    `count`). The last is none, as a symbol is counted before it is flagged."""
    n, known, foreign, beyond = 0, 0, 0, 0
    for i in range(len(words)):
        word = words[i]
        while word:
            slot = i * WORD_BITS + _trailing_zeros(word)
            word = word & (word - np.uint32(1))
            if slot >= count:
                beyond += 1
            elif watched[slot] == 0:
                foreign += 1
            elif load_acquire(versions, slot) == seen[slot]:
                known += 1
            else:
                out[n] = slot
                n += 1
    return n, known, foreign, beyond


@kernel
def select_changed(count: int, versions: Any, seen: Any, watched: Any, everything: bool, out: Any) -> int:
    """Watched slots whose version differs from the one seen, or with `everything` all that hold data, to `out`."""
    n = 0
    for slot in range(count):
        version = load_acquire(versions, slot)
        if watched[slot] != 0 and version != 0 and (everything or version != seen[slot]):
            out[n] = slot
            n += 1
    return n


@kernel
def commit_seen(seen: Any, slots: Any, versions: Any) -> int:
    """Note the versions at which `slots` were processed; gives how many of them never were before."""
    fresh = 0
    for i in range(len(slots)):
        if seen[slots[i]] == 0:
            fresh += 1
        seen[slots[i]] = versions[i]
    return fresh


@kernel
def oldest_update(cycles: Any, channel: int, first: int, last: int) -> int:
    """Monotonic ns of the oldest update announced in cycles first to last; 0 where the ring no longer knows."""
    oldest = 0
    for cycle in range(max(first, last - CYCLE_RING + 1), last + 1):
        entry = cycles[channel, cycle % CYCLE_RING]
        if load_acquire(entry, 0) != cycle:
            continue
        at = load_relaxed(entry, 1)
        fence_acquire()
        if load_relaxed(entry, 0) == cycle and (oldest == 0 or at < oldest):
            oldest = at
    return oldest


class Route(enum.Enum):
    """How a reader found what to process."""

    NOTHING = "nothing"  # no cycle was closed since
    FAST = "fast"  # by the flags of the one cycle it missed
    EXACT = "exact"  # by comparing versions
    ALL = "all"  # every symbol, as asked


class Take(NamedTuple):
    """What to process so that everything announced up to `target` is covered. Commit it, or drop it and take again."""

    route: Route
    target: int
    slots: npt.NDArray[np.int32]  # ascending; valid until the next take
    flagged: int  # symbols announced as changed, or found changed
    already_seen: int
    not_watched: int
    symbols: int  # in the market


class ChannelReader:
    """A reader's place in one channel of one generation. One thread; writes nothing shared.

    `watched` is one byte a slot of the segment's capacity, kept by the caller, who fills in the symbols that were
    added between `observe` and `take`. Raises ValueError where it is too short.
    """

    def __init__(self, segment: Segment, channel: int, watched: npt.NDArray[np.uint8]) -> None:
        if watched.shape != (segment.layout.capacity,):
            raise ValueError(f"`watched` needs {segment.layout.capacity} bytes, not {watched.shape}")
        arrays = segment.arrays
        self._control, self._living = arrays.control, arrays.living
        self._cycles, self._flags = arrays.cycles, arrays.flags
        self.channel = channel
        self.versions = arrays.versions if channel == 0 else arrays.heads[channel - 1]
        self.seen = np.zeros(segment.layout.capacity, np.int64)
        self.watched = watched
        self.done = 0
        self.covered = 0
        """Symbols processed at least once: those that a pass over everything would take."""
        self._words = np.zeros(segment.layout.flag_words, np.uint32)
        self._slots = np.zeros(segment.layout.capacity, np.int32)
        self.arrays = (
            self._control, self._living, self._cycles, self._flags,
            self._words, self.versions, self.seen, watched, self._slots,
        )  # fmt: skip
        """What the kernels of the fast path take, in their order."""
        self._plain = memoryview(self._control)  # type: ignore[arg-type] # numpy arrays are buffers
        self._closed = channel * CONTROL_WORDS + CLOSED
        # How often the exact path was required, and how many of these a commit has answered: one required while a
        # take is being worked on is owed to the next. A new reader has seen nothing and owes one.
        self._required, self._answered, self._answering = 1, 0, 0
        self._retrying = False
        self._trouble = ""

    def take_trouble(self) -> str:
        """What was wrong with the flags since the last call; empty where they were as the protocol has them. The
        versions decide then, so that nothing is lost."""
        trouble, self._trouble = self._trouble, ""
        return trouble

    @property
    def owes_exact(self) -> bool:
        """The next take compares versions: after a start, a failure, or with rows that could not be read."""
        return self._answered != self._required or self._retrying

    @property
    def retrying(self) -> bool:
        """Rows that the last take was to bring could not be read."""
        return self._retrying

    def require_exact(self) -> None:
        """Trust no flags at the next take: after a failed cycle, or when `seen` or `watched` was changed."""
        self._required += 1

    def retry(self) -> None:
        """A row that the work needs could not be read: the next take is an exact one, whatever is announced."""
        self._retrying = True

    def pending(self) -> bool:
        """A take would find something to look at. A plain look, in no order with other accesses: the take observes."""
        return self._plain[self._closed] > self.done or self.owes_exact

    def observe(self) -> tuple[int, int]:
        """(last closed cycle, symbol count)."""
        return observe(self._control, self._living, self.channel)

    def take(self, closed: int, count: int, everything: bool = False) -> Take:
        """What must be processed, given a fresh `observe` whose symbols `watched` already covers."""
        self._answering = self._required
        if closed < self.done:
            self._suspect(f"the closed cycle went back from {self.done} to {closed}")
        if everything or self.owes_exact or closed > self.done + 1:
            return self._exact(closed, count, everything)
        if closed <= self.done:
            return Take(Route.NOTHING, self.done, self._slots[:0], 0, 0, 0, count)
        if not copy_flags(self._control, self._flags, self.channel, closed, self._words):
            # Lapped: `closed` has moved, and the exact path must aim at where it is now. NoLostUpdate needs only
            # the older aim, which is covered as well, and the count belongs to that one.
            if self.observe()[0] == closed:
                self._suspect("a buffer does not bear the stamp of its cycle")
            return self._exact(closed, count, False)
        told = select_flagged(self._words, count, self.versions, self.seen, self.watched, self._slots)
        return self.taken(closed, *told, count)

    def taken(self, closed: int, n: int, known: int, foreign: int, beyond: int, count: int) -> Take:
        """The take of a fast path that a kernel went: `n` slots stand in the last of `arrays`."""
        self._answering = self._required
        if beyond:
            self._suspect("a flag is set beyond the last symbol")
            foreign += beyond
        return Take(Route.FAST, closed, self._slots[:n], n + known + foreign, known, foreign, count)

    def commit(self, take: Take, slots: npt.NDArray[np.int32], versions: npt.NDArray[np.int64], retry: bool) -> None:
        """The take's work succeeded: `slots` were processed at `versions`; `retry` says that some could not be read."""
        self.committed(take, commit_seen(self.seen, slots, versions), retry)

    def committed(self, take: Take, fresh: int, retry: bool) -> None:
        """As `commit`, where the versions are in `seen` already: `fresh` of them are a symbol's first."""
        self.covered += fresh
        self.done = take.target
        self._answered = self._answering
        self._retrying = retry

    def oldest_ns(self, take: Take) -> int:
        """Monotonic ns of the oldest update the take covers, 0 where unknown."""
        return oldest_update(self._cycles, self.channel, self.done + 1, take.target)

    def _suspect(self, trouble: str) -> None:
        self._trouble = self._trouble or trouble
        self.require_exact()

    def _exact(self, closed: int, count: int, everything: bool) -> Take:
        n = select_changed(count, self.versions, self.seen, self.watched, everything, self._slots)
        route = Route.ALL if everything else Route.EXACT
        return Take(route, max(closed, self.done), self._slots[:n], n, 0, 0, count)
