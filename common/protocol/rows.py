"""A symbol's row, ticker and candles, under its seqlock: the writer's half, then the reader's.

The row's version is odd while the feed writes the row. A reader looks at the version before and after its copy: both
looks must find the same even number. After `MAX_TRIES` the reader gives up on this symbol only (Progress), and the
caller retries later. So a torn read never leaves this file. One thread of the feed writes; any number of readers copy.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tickflag.common.arrays import NO_VERSIONS, Floats, Records, Slots, SmallIntegers, Versions
from tickflag.common.jit import kernel
from tickflag.common.segment import layout
from tickflag.common.segment.atomics import (
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from tickflag.common.segment.layout import TICKER_WORDS
from tickflag.common.segment.prefetch import prefetch
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S

MAX_TRIES = 8
AHEAD = 8  # rows to prefetch ahead: while they are copied, a line comes from memory
PER_LINE = 8  # numbers in a cache line

UNKNOWN = np.zeros((), layout.TICKER)  # what a mirror shows for a symbol without data
for _field in layout.TICKER.names or ():
    if layout.TICKER[_field].kind == "f":
        UNKNOWN[_field] = np.nan


@kernel
def begin_row(row_versions: Any, slot: int) -> int:
    """Lock a row before its first byte changes; gives the version for `end_row`, which is 2 at the first update."""
    version = row_versions[slot]
    store_relaxed(row_versions, slot, version + 1)
    # The version is odd before the row changes: pairs with the acquire fence before the second look of a copy.
    fence_release()
    return int(version + 2)


@kernel
def publish_head(heads: Any, slot: int, head: int) -> None:
    """Count a closed candle that was written to the slot's ring. `heads` are those of one interval."""
    # Pairs with the acquire of the versions of an interval's channel in `select_flagged` and `select_changed`.
    store_release(heads, slot, head)


@kernel
def end_row(row_versions: Any, slot: int, version: int) -> None:
    """Unlock a row that is whole. The feed flags the symbol only after this."""
    # Pairs with the acquire of a copy's first look: a reader that sees this version sees no older byte.
    store_release(row_versions, slot, version)


@kernel
def _copy_candles(rings: Any, opens: Any, slot: int, head: int, fields: Any, forming: bool, out: Any, to: int) -> int:
    """Copy the newest candles of a slot to `out[:, to]`, oldest first, right-aligned; gives how many."""
    look_back = out.shape[2]
    depth = rings.shape[2]
    now = 1 if forming and opens[slot]["first_ns"] > 0 else 0
    closed = min(look_back - now, depth, head)
    pad = look_back - now - closed
    for f in range(len(fields)):
        ring = rings[slot, fields[f]]
        row = out[f, to]
        for i in range(pad):
            row[i] = np.nan
        at = (head - closed) % depth
        first = min(closed, depth - at)  # up to the ring's end; the others are at its beginning
        # Unsigned, so that no test for negative indices keeps the copy from being vectorised.
        for i in range(first):
            row[np.uint64(pad + i)] = ring[np.uint64(at + i)]
        for i in range(closed - first):
            row[np.uint64(pad + first + i)] = ring[np.uint64(i)]
        if now:
            candle = opens[slot]
            field = fields[f]
            if field == layout.TIME:
                row[look_back - 1] = candle["start_ns"] // NS_PER_S
            elif field == layout.OPEN_PRICE:
                row[look_back - 1] = candle["open"]
            elif field == layout.HIGH:
                row[look_back - 1] = candle["high"]
            elif field == layout.LOW:
                row[look_back - 1] = candle["low"]
            elif field == layout.CLOSE:
                row[look_back - 1] = candle["close"]
            elif field == layout.VOLUME:
                row[look_back - 1] = candle["volume"]
            else:
                row[look_back - 1] = candle["trades"]
    return int(closed + now)


@kernel
def _expect(row_versions: Any, tickers: Any, slot: int) -> None:
    """Begin to load the row of a slot that is copied soon, as a market's rows do not fit into the cache."""
    prefetch(row_versions, slot)
    prefetch(tickers[slot], 0)
    prefetch(tickers[slot], 8)


@kernel
def _expect_candles(heads: Any, opens: Any, rings: Any, fields: Any, slot: int, look_back: int) -> None:
    """Begin to load the newest candles of a slot that is copied soon."""
    prefetch(opens, slot)
    depth = rings.shape[2]
    first = heads[slot] + depth - min(look_back, depth)
    for f in range(len(fields)):
        ring = rings[slot, fields[f]]
        for back in range(0, min(look_back, depth), PER_LINE):
            prefetch(ring, (first + back) % depth)


@kernel
def copy_tickers(
    versions: Any, row_versions: Any, tickers: Any, slots: Any, scatter: bool, out_slots: Any, out_seen: Any,
    out_rows: Any, out: Any,
) -> int:  # fmt: skip
    """Copy the rows of `slots` to `out`, with `out_slots`, `out_seen` and `out_rows`; gives how many could be
    read.

    `versions` is the channel's version array, read inside the lock; `out_rows` are the versions of the rows. With
    `scatter`, row s of `out` is that of slot s. Each copy is then made in the last row of `out` first, as a torn copy
    must not replace an older, whole row.
    """
    done = 0
    for i in range(len(slots)):
        if i + AHEAD < len(slots):
            _expect(row_versions, tickers, slots[i + AHEAD])
        slot = slots[i]
        at = len(out) - 1 if scatter else done
        for _ in range(MAX_TRIES):
            before = load_acquire(row_versions, slot)  # pairs with the release in `end_row`
            if before & 1:
                continue
            seen = load_relaxed(versions, slot)
            for word in range(TICKER_WORDS):
                out[at, word] = load_relaxed(tickers[slot], word)
            fence_acquire()  # the copy is complete before the second look: pairs with the fence in `begin_row`
            if load_relaxed(row_versions, slot) == before:
                if scatter:
                    for word in range(TICKER_WORDS):
                        out[slot, word] = out[at, word]
                out_slots[done] = slot
                out_seen[done] = seen
                out_rows[done] = before
                done += 1
                break
    return done


@kernel
def copy_rows(
    versions: Any, row_versions: Any, tickers: Any, heads: Any, opens: Any, rings: Any, fields: Any, forming: bool,
    slots: Any, scatter: bool, out_slots: Any, out_seen: Any, out_rows: Any, out: Any, out_candles: Any,
    out_valid: Any,
) -> int:  # fmt: skip
    """Do the same as `copy_tickers`, with the candles of the interval that `heads`, `opens` and `rings` belong to."""
    done = 0
    for i in range(len(slots)):
        if i + AHEAD < len(slots):
            _expect(row_versions, tickers, slots[i + AHEAD])
            _expect_candles(heads, opens, rings, fields, slots[i + AHEAD], out_candles.shape[2])
        if i + 2 * AHEAD < len(slots):
            prefetch(heads, slots[i + 2 * AHEAD])
        slot = slots[i]
        at = len(out) - 1 if scatter else done
        for _ in range(MAX_TRIES):
            before = load_acquire(row_versions, slot)  # pairs with the release in `end_row`
            if before & 1:
                continue
            seen = load_relaxed(versions, slot)
            for word in range(TICKER_WORDS):
                out[at, word] = load_relaxed(tickers[slot], word)
            head = load_relaxed(heads, slot)
            out_valid[at] = _copy_candles(rings, opens, slot, head, fields, forming, out_candles, at)
            fence_acquire()  # as in `copy_tickers`
            if load_relaxed(row_versions, slot) == before:
                if scatter:
                    for word in range(TICKER_WORDS):
                        out[slot, word] = out[at, word]
                    for f in range(len(fields)):
                        for back in range(out_candles.shape[2]):
                            out_candles[f, slot, back] = out_candles[f, at, back]
                    out_valid[slot] = out_valid[at]
                out_slots[done] = slot
                out_seen[done] = seen
                out_rows[done] = before
                done += 1
                break
    return done


@dataclass(frozen=True, slots=True)
class CandleWish:
    """Which candles to copy with each row. `interval` and `fields` are indexes, `fields` into `CANDLE_FIELDS`."""

    interval: int
    look_back: int
    fields: tuple[int, ...]
    forming: bool


class Rows(NamedTuple):
    """Copies of rows, valid until the next read. `candles` is (field, row, look-back), NaN before a symbol's first."""

    slots: Slots
    versions: Versions
    tickers: Records
    candles: Floats | None
    valid: SmallIntegers | None  # how many candles each symbol has
    failed: int  # rows that stayed locked
    row_versions: Versions = NO_VERSIONS  # of all in the row, as `versions` of an interval's channel count closes only


class RowReader:
    """Copies rows into buffers of its own, at most `chunk` at a time. One thread.

    With `mirror`, row s of the buffers is that of slot s, and a read shows the whole market.
    """

    def __init__(
        self, segment: Segment, channel: int, wish: CandleWish | None, chunk: int, mirror: bool = False
    ) -> None:
        arrays = segment.arrays
        self.limit = segment.layout.capacity if mirror else chunk
        """How many rows one read takes at most."""
        self.mirror = mirror
        self.wish = wish
        size = self.limit + mirror  # a mirror has one more row, where each copy is made first
        self._versions = arrays.versions if channel == 0 else arrays.heads[channel - 1]
        self._slots = np.zeros(size, np.int32)
        self._seen = np.zeros(size, np.int64)
        self._row_seen = np.zeros(size, np.int64)
        self._words = np.zeros((size, TICKER_WORDS), np.int64)
        self._tickers = self._words.view(layout.TICKER).reshape(size)
        if mirror:
            self._tickers[:] = UNKNOWN
        self._tickers.flags.writeable = False  # the alias that is handed out
        self._candles: Floats | None = None
        self._valid: SmallIntegers | None = None
        self._shown_candles: Floats | None = None
        self._shown_valid: SmallIntegers | None = None
        self._sources: tuple[Any, ...] = (arrays.versions, arrays.ticker_words)
        self._targets: tuple[Any, ...] = (self._slots, self._seen, self._row_seen, self._words)
        if wish is not None:
            longest = segment.layout.depth + wish.forming
            if not 1 <= wish.look_back <= longest:
                raise ValueError(f"look-back must be 1 to {longest}, not {wish.look_back}")
            self._candles = np.full((len(wish.fields), size, wish.look_back), np.nan)
            self._shown_candles = self._candles.view()
            self._shown_candles.flags.writeable = False
            self._valid = np.zeros(size, np.int32)
            self._shown_valid = self._valid.view()
            self._shown_valid.flags.writeable = False
            fields = np.array(wish.fields, np.int64)
            candles = (arrays.heads[wish.interval], arrays.opens[:, wish.interval], arrays.rings[wish.interval])
            self._sources = (*self._sources, *candles, fields, wish.forming)
            self._targets = (*self._targets, self._candles, self._valid)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The arguments of the copying kernels beside `versions`, `slots` and `scatter`, in their order."""
        return (*self._sources, *self._targets)

    def read(self, slots: Slots) -> Rows:
        """Copy the rows of `slots`. Raises ValueError for more than `limit`."""
        if len(slots) > self.limit:
            raise ValueError(f"{len(slots)} rows are more than this reader has room for, {self.limit}")
        copy: Any = copy_tickers if self.wish is None else copy_rows
        n = copy(self._versions, *self._sources, slots, self.mirror, *self._targets)
        return self.shown(n, len(slots) - n)

    def shown(self, n: int, failed: int) -> Rows:
        """The `n` rows that were just read; of a mirror, all it has."""
        return self._view(self.limit if self.mirror else n, n, failed)

    def mirrored(self, count: int) -> Rows:
        """The first `count` rows of a mirror, as they were last read. A row that was never read has NaN as prices."""
        return self._view(count, 0, 0)

    def _view(self, rows: int, n: int, failed: int) -> Rows:
        return Rows(
            slots=self._slots[:n],
            versions=self._seen[:n],
            tickers=self._tickers[:rows],
            candles=None if self._shown_candles is None else self._shown_candles[:, :rows],
            valid=None if self._shown_valid is None else self._shown_valid[:rows],
            failed=failed,
            row_versions=self._row_seen[:n],
        )
