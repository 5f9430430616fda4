"""Intake: what a wake-up takes in. Where the reader is one cycle behind, flags and rows come out of one kernel.

A wake-up finds its caches cold, and then the calls of kernels cost more than what they do. The kernel here is the fast
path of `ChannelReader.take`, `ChannelReader.oldest_ns` and `RowReader.read` in one; anything else it leaves to them.
"""

from typing import Any

import numpy as np

from common.jit import direct, kernel
from common.rows import RowReader, Rows, copy_rows, copy_tickers
from common.swap import ChannelReader, Take, copy_flags, observe, oldest_update, select_flagged

LEFT = -1  # nothing was taken

# Words of what a kernel tells beside its result.
CLOSED, SELECTED, KNOWN, FOREIGN, BEYOND, OLDEST = range(6)


@kernel
def _flagged(
    control: Any, living: Any, cycles: Any, flags: Any, words: Any, versions: Any, seen: Any, watched: Any, slots: Any,
    channel: int, done: int, count: int, told: Any,
) -> int:  # fmt: skip
    """The slots to process into `slots`; gives how many, LEFT where cycle, flags or symbol count are others."""
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
    row_versions: Any, tickers: Any, out_slots: Any, out_seen: Any, out: Any,
    channel: int, done: int, count: int, limit: int, scatter: bool, told: Any,
) -> int:  # fmt: skip
    """Take cycle `done` + 1 and copy the first `limit` rows of it; gives how many could be read, or LEFT."""
    n = _flagged(control, living, cycles, flags, words, versions, seen, watched, slots, channel, done, count, told)
    if n <= 0:
        return n
    return copy_tickers(versions, row_versions, tickers, slots[: min(n, limit)], scatter, out_slots, out_seen, out)


@kernel
def take_rows(
    control: Any, living: Any, cycles: Any, flags: Any, words: Any, versions: Any, seen: Any, watched: Any, slots: Any,
    row_versions: Any, tickers: Any, heads: Any, opens: Any, rings: Any, fields: Any, forming: bool,
    out_slots: Any, out_seen: Any, out: Any, out_candles: Any, out_valid: Any,
    channel: int, done: int, count: int, limit: int, scatter: bool, told: Any,
) -> int:  # fmt: skip
    """As `take_tickers`, with candles."""
    n = _flagged(control, living, cycles, flags, words, versions, seen, watched, slots, channel, done, count, told)
    if n <= 0:
        return n
    return copy_rows(
        versions, row_versions, tickers, heads, opens, rings, fields, forming,
        slots[: min(n, limit)], scatter, out_slots, out_seen, out, out_candles, out_valid,
    )  # fmt: skip


class Intake:
    """A channel's reader and its reader of rows, together. One thread."""

    def __init__(self, channel: ChannelReader, rows: RowReader) -> None:
        self._channel, self._rows = channel, rows
        self._told = np.zeros(6, np.int64)
        self._words = memoryview(self._told)  # type: ignore[arg-type] # numpy arrays are buffers
        self._arguments = (*channel.arrays, *rows.arrays, channel.channel)
        take: Any = take_tickers if rows.wish is None else take_rows
        self._take = direct(take, *self._arguments, 0, 0, rows.limit, rows.mirror, self._told)
        self.oldest_ns = 0
        """Monotonic ns of the oldest update the last take covers, 0 where unknown."""

    def take(self, count: int) -> tuple[Take, Rows] | None:
        """The cycle after `done` and the rows of its first chunk, in a market of `count` symbols.

        None where that is not all there is to do: then observe, take and read.
        """
        channel, rows = self._channel, self._rows
        if channel.owes_exact:
            return None
        n = self._take(*self._arguments, channel.done, count, rows.limit, rows.mirror, self._told)
        if n == LEFT:
            return None
        closed, selected, known, foreign, beyond, self.oldest_ns = self._words
        take = channel.taken(closed, selected, known, foreign, beyond, count)
        return take, rows.shown(n, min(selected, rows.limit) - n)
