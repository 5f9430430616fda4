"""The update protocol of a channel: who may do what, in which order. That no update is lost rests on this file.

The writer, one thread of the feed, sets flags of the open cycle W in buffer W mod 2 and closes the cycle when it
likes; it never waits. A reader, in any process, keeps `done`: everything announced up to that cycle is covered. The
reader copies the flags of cycle done+1 and checks that the buffer's stamp did not move meanwhile (fast path), or it
compares every symbol's version with the one it saw last (exact path). The truth is in the rows, not in the events.

Invariants: NoLostUpdate, CursorClosed, EventsAreHints, WriterWaitFree, NoStampReuse, Conservation; `docs/protocol.md`
argues them, `tests/model` checks every interleaving of a small instance.
"""

from typing import Any, Final, Literal

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.segment.atomics import (
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from tickflag.common.segment.atomics import trailing_zeros as _trailing_zeros
from tickflag.common.segment.bitset import clear_words, copy_words, has_bit, set_bit
from tickflag.common.segment.layout import CLOSED, CONTROL_WORDS, CYCLE_RING, OPEN, STAMP, SYMBOL_COUNT, WORD_BITS

BUFFER_NAMES: Final[tuple[Literal["A"], Literal["B"]]] = ("A", "B")


@kernel
def set_flag(control: Any, flags: Any, channel: int, slot: int) -> bool:
    """Mark a symbol in the channel's open cycle, after its row is whole; True where it was not marked."""
    # The bit needs no order of its own: the stores in `close_cycle` release the bit, and `copy_flags` acquires them.
    return set_bit(flags[channel, control[channel * CONTROL_WORDS + OPEN] % 2], slot)


@kernel
def is_flagged(control: Any, flags: Any, channel: int, slot: int) -> bool:
    """Whether the symbol is marked in the channel's open cycle. Then an update whose row is whole needs no mark of its
    own: a reader that sees the mark has seen the cycle closed, and with it every row written before."""
    return has_bit(flags[channel, control[channel * CONTROL_WORDS + OPEN] % 2], slot)


@kernel
def close_cycle(control: Any, cycles: Any, channel: int, oldest_ns: int) -> int:
    """Announce the open cycle; gives its number. The caller then sends the swap event and calls `open_next`."""
    base = channel * CONTROL_WORDS
    cycle = control[base + OPEN]
    entry = cycles[channel, cycle % CYCLE_RING]
    store_relaxed(entry, 0, 0)  # an entry being replaced belongs to no cycle
    fence_release()  # the number is 0 before the time changes: pairs with the second look in `oldest_update`
    store_relaxed(entry, 1, oldest_ns)
    store_release(entry, 0, cycle)  # pairs with the first look in `oldest_update`
    # NoStampReuse: the buffer gets the stamp of its cycle only after the cycle's last flag is set.
    store_release(control, base + STAMP + cycle % 2, cycle)
    # Pairs with the acquire of `closed` in `observe`: a reader that sees the cycle closed sees flags, stamp and rows.
    store_release(control, base + CLOSED, cycle)
    return int(cycle)


@kernel
def open_next(control: Any, flags: Any, channel: int) -> None:
    """Clear the other buffer and open the next cycle in it."""
    base = channel * CONTROL_WORDS
    cycle = control[base + OPEN] + 1
    # Released after `closed`: a reader that finds its stamp gone also finds that a later cycle was closed.
    store_release(control, base + STAMP + cycle % 2, 0)
    # The stamp is 0 before the first bit is cleared: pairs with the second look at the stamp in `copy_flags`.
    fence_release()
    clear_words(flags[channel, cycle % 2])
    store_relaxed(control, base + OPEN, cycle)


@kernel
def observe(control: Any, living: Any, channel: int) -> tuple[int, int]:
    """(last closed cycle, symbol count), in this order: the count covers every symbol of the cycle."""
    closed = load_acquire(control, channel * CONTROL_WORDS + CLOSED)  # pairs with the last store of `close_cycle`
    return closed, load_acquire(living, SYMBOL_COUNT)


@kernel
def copy_flags(control: Any, flags: Any, channel: int, cycle: int, out: Any) -> bool:
    """Copy the flags of `cycle`; False where the buffer no longer holds that cycle (the reader was lapped)."""
    stamp = channel * CONTROL_WORDS + STAMP + cycle % 2
    if load_acquire(control, stamp) != cycle:  # pairs with the release in `close_cycle`: all its flags are set
        return False
    copy_words(flags[channel, cycle % 2], out)
    fence_acquire()  # the words were loaded before the second look: pairs with the fence in `open_next`
    return bool(load_relaxed(control, stamp) == cycle)


@kernel
def select_flagged(
    words: Any, count: int, versions: Any, seen: Any, watched: Any, out: Any
) -> tuple[int, int, int, int]:
    """Write to `out` the slots of set bits that are watched and not yet seen; gives (how many, already seen, not
    watched, beyond `count`). The last number is 0 as long as the writer counts a symbol before it flags it."""
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
            elif load_acquire(versions, slot) == seen[slot]:  # pairs with `end_row` and `publish_head`
                known += 1
            else:
                out[n] = slot
                n += 1
    return n, known, foreign, beyond


@kernel
def select_changed(count: int, versions: Any, seen: Any, watched: Any, everything: bool, out: Any) -> int:
    """Write to `out` the watched slots whose version differs from the one seen, or with `everything` all watched slots
    with data; gives how many."""
    n = 0
    for slot in range(count):
        version = load_acquire(versions, slot)  # pairs with `end_row` and `publish_head`
        if watched[slot] != 0 and version != 0 and (everything or version != seen[slot]):
            out[n] = slot
            n += 1
    return n


@kernel
def commit_seen(seen: Any, slots: Any, versions: Any) -> int:
    """Note the versions at which `slots` were processed; gives how many were processed for the first time."""
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
        if load_acquire(entry, 0) != cycle:  # pairs with the last store to the entry in `close_cycle`
            continue
        at = load_relaxed(entry, 1)
        fence_acquire()  # the time was loaded before the second look: pairs with the fence in `close_cycle`
        if load_relaxed(entry, 0) == cycle and (oldest == 0 or at < oldest):
            oldest = at
    return oldest
