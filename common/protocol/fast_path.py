"""The fast path in one kernel: flags and rows of the next cycle, for a reader that is one cycle behind.

A reader that wakes finds its caches cold, and then the call of a kernel costs more than the kernel's work. So the
kernel here does in one call what `ChannelReader.take`, `ChannelReader.oldest_ns` and `RowReader.read` do on the fast
path. Those three do everything else.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import direct, kernel
from tickflag.common.protocol.cycles import copy_flags, observe, oldest_update, select_flagged
from tickflag.common.protocol.reader import ChannelReader, Take
from tickflag.common.protocol.rows import RowReader, Rows, copy_rows, copy_tickers

LEFT = -1  # nothing was taken: the caller goes step by step

# What a kernel tells beside its result, a word each.
CLOSED, SELECTED, KNOWN, FOREIGN, BEYOND, OLDEST = range(6)


@kernel
def _flagged(
    control: Any, living: Any, cycles: Any, flags: Any, words: Any, versions: Any, seen: Any, watched: Any, slots: Any,
    channel: int, done: int, count: int, told: Any,
) -> int:  # fmt: skip
    """Write the slots to process to `slots`; gives how many. Gives LEFT where the last closed cycle is not `done` + 1,
    its flags are gone, or the symbol count is not `count`."""
    closed, symbols = observe(control, living, channel)
    if closed != done + 1 or symbols != count or not copy_flags(control, flags, channel, closed, words):
        return LEFT
    n, known, foreign, beyond = select_flagged(words, count, versions, seen, watched, slots)
    told[CLOSED], told[SELECTED], told[KNOWN], told[FOREIGN], told[BEYOND] = closed, n, known, foreign, beyond
    told[OLDEST] = oldest_update(cycles, channel, closed, closed)
    return n


@kernel
def take_tickers(
    control: Any, living: Any, cycles: Any, flags: Any, words: Any, versions: Any, seen: Any, watched: Any, slots: Any,
    row_versions: Any, tickers: Any, out_slots: Any, out_seen: Any, out_rows: Any, out: Any,
    channel: int, done: int, count: int, limit: int, scatter: bool, told: Any,
) -> int:  # fmt: skip
    """Take cycle `done` + 1 and copy its first `limit` rows; gives how many could be read, or LEFT."""
    n = _flagged(control, living, cycles, flags, words, versions, seen, watched, slots, channel, done, count, told)
    if n <= 0:
        return n
    return copy_tickers(
        versions, row_versions, tickers, slots[: min(n, limit)], scatter, out_slots, out_seen, out_rows, out
    )


@kernel
def take_rows(
    control: Any, living: Any, cycles: Any, flags: Any, words: Any, versions: Any, seen: Any, watched: Any, slots: Any,
    row_versions: Any, tickers: Any, heads: Any, opens: Any, rings: Any, fields: Any, forming: bool,
    out_slots: Any, out_seen: Any, out_rows: Any, out: Any, out_candles: Any, out_valid: Any,
    channel: int, done: int, count: int, limit: int, scatter: bool, told: Any,
) -> int:  # fmt: skip
    """Do the same as `take_tickers`, with candles."""
    n = _flagged(control, living, cycles, flags, words, versions, seen, watched, slots, channel, done, count, told)
    if n <= 0:
        return n
    return copy_rows(
        versions, row_versions, tickers, heads, opens, rings, fields, forming,
        slots[: min(n, limit)], scatter, out_slots, out_seen, out_rows, out, out_candles, out_valid,
    )  # fmt: skip


class FastPath:
    """The fast path of a channel's reader and its row reader. One thread."""

    def __init__(self, channel: ChannelReader, rows: RowReader) -> None:
        self._channel, self._rows = channel, rows
        self._told = np.zeros(6, np.int64)
        self._words = self._told.data
        self._arguments = (*channel.arrays, *rows.arrays, channel.channel)
        take: Any = take_tickers if rows.wish is None else take_rows
        self._take = direct(take, *self._arguments, 0, 0, rows.limit, rows.mirror, self._told)

    def take(self, count: int) -> tuple[Take, Rows, int] | None:
        """The cycle after `done`, the rows of its first chunk, and the monotonic ns of its oldest update (0 where
        unknown), in a market of `count` symbols.

        None where the fast path does not apply: the caller then observes, takes and reads.
        """
        channel, rows = self._channel, self._rows
        if channel.owes_exact:
            return None
        n = self._take(*self._arguments, channel.done, count, rows.limit, rows.mirror, self._told)
        if n == LEFT:
            return None
        closed, selected, known, foreign, beyond, oldest_ns = self._words
        take = channel.taken(closed, selected, known, foreign, beyond, count)
        return take, rows.shown(n, min(selected, rows.limit) - n), oldest_ns
