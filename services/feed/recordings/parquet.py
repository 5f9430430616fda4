"""Parquet recordings: ticks (trades and quotes) and closed klines, decoded and checked batch by batch."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.recordings.checks import (
    KLINE_NUMBERS,
    TICK_NUMBERS,
    Floats,
    Mask,
    RowChecks,
    check_forward,
    check_kline,
    check_tick,
    without_value,
)
from common.recordings.errors import Fault, RecordingError
from common.recordings.interval import NS_PER_S, interval_seconds
from common.recordings.symbols import SymbolIndex, symbol_fault
from services.feed.recordings.columns import Batch, Column, ColumnFile, Texts
from services.feed.recordings.recording import (
    CHUNK_ROWS,
    KLINE_INPUT,
    Chunk,
    KlineChunk,
    Recording,
    Records,
    Survey,
    TickChunk,
)
from services.feed.recordings.records import empty_ticks, joined, pick

TICK_COLUMNS = (
    Column("ts_ns", "integer"),
    Column("symbol", "text"),
    Column("price", "number"),
    Column("qty", "number"),
    Column("bid", "number"),
    Column("ask", "number"),
    Column("bid_size", "number", required=False),
    Column("ask_size", "number", required=False),
)
KLINE_COLUMNS = (
    Column("open_time_ms", "integer"),
    Column("symbol", "text"),
    Column("interval", "text"),
    Column("open", "number"),
    Column("high", "number"),
    Column("low", "number"),
    Column("close", "number"),
    Column("volume", "number"),
    Column("trades", "integer", required=False),
)

_BATCH_ROWS = CHUNK_ROWS
_NS_PER_MS = 1_000_000
_MAX_MS = np.iinfo(np.int64).max // _NS_PER_MS - 366 * 86_400_000  # leaves room for open + the longest interval


def _decoded_symbol(raw: bytes) -> tuple[str, str | None]:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return "", "is not UTF-8 text"
    return name, symbol_fault(name)


def _symbol_indexes(texts: Texts, index: SymbolIndex, checks: RowChecks) -> NDArray[np.int64]:
    """Give each row's symbol index; rows whose symbol is missing or unfit are refused and get -1."""
    # One entry more than there are values: code -1 (missing) then reads the last one.
    lookup = np.full(len(texts.values) + 1, -1, np.int64)
    unfit: list[tuple[int, str]] = []
    for code, raw in texts.used():
        name, reason = _decoded_symbol(raw)
        if reason is None:
            lookup[code] = index.index(name)
        else:
            unfit.append((code, reason))
    found: NDArray[np.int64] = lookup[texts.codes]
    if (found < 0).any():
        checks.refuse(texts.codes < 0, "symbol", "is missing")
        for code, reason in unfit:
            checks.refuse(texts.codes == code, "symbol", reason)
    return found


def _checked_integers(batch: Batch, name: str, checks: RowChecks) -> NDArray[np.int64]:
    integers = batch.integers(name)
    if integers.missing is not None:
        checks.refuse(integers.missing, name, "is missing")
    return integers.values


def _checked_numbers(batch: Batch, name: str, checks: RowChecks) -> NDArray[np.float64]:
    numbers = batch.numbers(name)
    if numbers.nan is not None:
        checks.refuse(numbers.nan, name, "is NaN; a value that is absent must be null")
    return numbers.values


def _extent(times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([times_ns.min(), times_ns.max()]) if len(times_ns) else times_ns


def _bounds(times_ns: list[NDArray[np.int64]]) -> tuple[int | None, int | None]:
    filled = [times for times in times_ns if len(times)]
    if not filled:
        return None, None
    return min(int(times.min()) for times in filled), max(int(times.max()) for times in filled)


class TickFile(Recording):
    """Parquet ticks: `ts_ns,symbol,price,qty,bid,ask`, in time order.

    A trade row has price and qty, a quote row bid and/or ask; what is null stays absent. A bid or ask of 0 is no quote,
    and a row that then states nothing is skipped as "no value". Event time is replay time.
    """

    def __init__(self, path: Path, on_fault: Callable[[Fault], None] | None = None, chunk_rows: int = CHUNK_ROWS):
        super().__init__(path, on_fault, chunk_rows)
        self._file = ColumnFile(path, TICK_COLUMNS)
        self._index = SymbolIndex()
        _ = self.survey  # on opening, so that a damaged file is named before anything runs

    def _look_through(self) -> Survey:
        times: list[NDArray[np.int64]] = []
        for batch in self._file.batches(("ts_ns", "symbol"), _BATCH_ROWS):
            _symbol_indexes(batch.texts("symbol"), self._index, RowChecks(len(batch)))
            ts_ns = batch.integers("ts_ns").values
            times.append(_extent(ts_ns[ts_ns > 0]))
        start_ns, end_ns = _bounds(times)
        return Survey(self._index.names, frozenset(), start_ns, end_ns, self._file.rows)

    def _read(self) -> Iterator[Chunk]:
        floor_ns = 0
        first = self._file.groups_below("ts_ns", self.since_ns) if self.since_ns else 0
        for batch in self._file.batches(self._file.names, _BATCH_ROWS, first):
            checks = RowChecks(len(batch))
            ts_ns = _checked_integers(batch, "ts_ns", checks)
            checks.refuse(ts_ns <= 0, "ts_ns", "is not a time in nanoseconds since 1970", ts_ns)
            symbol = _symbol_indexes(batch.texts("symbol"), self._index, checks)
            values = {name: _checked_numbers(batch, name, checks) for name in TICK_NUMBERS if batch.has(name)}
            check_tick(checks, values)
            floor_ns = check_forward(checks, "ts_ns", ts_ns, floor_ns)
            checks.report(self._faults, batch.row)

            keep = ~checks.refused
            empty = keep & without_value(values)
            self._skip("no value", int(np.count_nonzero(empty)))
            keep ^= empty
            yield TickChunk(self._index.names, _ticks(ts_ns, symbol, values, keep))


def _ticks(ts_ns: NDArray[np.int64], symbol: NDArray[np.int64], values: Mapping[str, Floats], keep: Mask) -> Records:
    size = int(np.count_nonzero(keep))
    # Most batches have nothing to drop, and a whole slice is copied far faster than a mask.
    kept: Any = slice(None) if size == len(keep) else keep
    ticks = empty_ticks(size)
    ticks["event_ns"] = ticks["recv_ns"] = ts_ns[kept]
    ticks["symbol"] = symbol[kept]
    for name, numbers in values.items():
        ticks[name] = numbers[kept]
    return ticks


class KlineFile(Recording):
    """Parquet klines, all closed: `open_time_ms,symbol,interval,open,high,low,close,volume`, in open time order.

    A candle becomes known at open + interval, which is its replay time. A file that mixes intervals is put in that
    order while it is read; candles known at the same time stay in file order.
    """

    def __init__(self, path: Path, on_fault: Callable[[Fault], None] | None = None, chunk_rows: int = CHUNK_ROWS):
        super().__init__(path, on_fault, chunk_rows)
        self._file = ColumnFile(path, KLINE_COLUMNS)
        self._index = SymbolIndex()
        _ = self.survey  # on opening, so that an unknown interval or a damaged file is named before anything runs

    def _look_through(self) -> Survey:
        times: list[NDArray[np.int64]] = []
        intervals: set[int] = set()
        for batch in self._file.batches(("open_time_ms", "symbol", "interval"), _BATCH_ROWS):
            _symbol_indexes(batch.texts("symbol"), self._index, RowChecks(len(batch)))
            interval_s = self._intervals(batch)
            intervals.update(np.unique(interval_s[interval_s > 0]).tolist())
            open_ms = batch.integers("open_time_ms").values
            sound = (open_ms > 0) & (open_ms <= _MAX_MS) & (interval_s > 0)
            times.append(_extent(open_ms[sound] * _NS_PER_MS + interval_s[sound] * NS_PER_S))
        start_ns, end_ns = _bounds(times)
        return Survey(self._index.names, frozenset(intervals), start_ns, end_ns, self._file.rows)

    def _intervals(self, batch: Batch) -> NDArray[np.int64]:
        """Give each row's interval in seconds, 0 where it is missing. Raises RecordingError on an unknown one."""
        texts = batch.texts("interval")
        lookup = np.zeros(len(texts.values) + 1, np.int64)
        for code, raw in texts.used():
            name = raw.decode(errors="replace")
            seconds = interval_seconds(name)
            if seconds is None:
                row = batch.row + int(np.argmax(texts.codes == code))
                reason = f"unknown interval {name!r}; known are counts of s, m, h, d and w, such as 1m"
                raise RecordingError(self.name, reason, "interval", row)
            lookup[code] = seconds
        found: NDArray[np.int64] = lookup[texts.codes]
        return found

    def _read(self) -> Iterator[Chunk]:
        shortest_ns = min(self.kline_intervals_s, default=1) * NS_PER_S
        floor_ns = 0
        waiting: Records = np.empty(0, KLINE_INPUT)
        opens_ms = (self.since_ns - max(self.kline_intervals_s, default=0) * NS_PER_S) // _NS_PER_MS
        first = self._file.groups_below("open_time_ms", opens_ms) if self.since_ns else 0
        for batch in self._file.batches(self._file.names, _BATCH_ROWS, first):
            klines, floor_ns = self._decode(batch, floor_ns)
            waiting = joined([waiting, klines]) if len(waiting) else klines
            recv_ns = waiting["recv_ns"]
            if (recv_ns[1:] < recv_ns[:-1]).any():
                waiting = pick(waiting, np.argsort(recv_ns, kind="stable"))
            # Whatever follows opens at floor or later, so nothing that follows is known before this time.
            ready = int(np.searchsorted(waiting["recv_ns"], floor_ns + shortest_ns, side="right"))
            yield KlineChunk(self._index.names, waiting[:ready])
            waiting = waiting[ready:]
        yield KlineChunk(self._index.names, waiting)

    def _decode(self, batch: Batch, floor_ns: int) -> tuple[Records, int]:
        checks = RowChecks(len(batch))
        open_ms = _checked_integers(batch, "open_time_ms", checks)
        outside = (open_ms <= 0) | (open_ms > _MAX_MS)
        checks.refuse(outside, "open_time_ms", "is not a time in milliseconds since 1970", open_ms)
        open_ns = np.where(outside, 0, open_ms) * _NS_PER_MS
        symbol = _symbol_indexes(batch.texts("symbol"), self._index, checks)
        interval_s = self._intervals(batch)
        checks.refuse(interval_s == 0, "interval", "is missing")
        values = {name: _checked_numbers(batch, name, checks) for name in KLINE_NUMBERS}
        trades = batch.integers("trades").values if batch.has("trades") else np.zeros(len(batch), np.int64)
        checks.refuse(trades < 0, "trades", "is negative", trades)
        check_kline(checks, values, open_ns, interval_s)
        floor_ns = check_forward(checks, "open_ns", open_ns, floor_ns)
        checks.report(self._faults, batch.row, {"open_ns": "open_time_ms"})

        keep = ~checks.refused
        klines: Records = np.empty(int(np.count_nonzero(keep)), KLINE_INPUT)
        klines["open_ns"] = open_ns[keep]
        klines["recv_ns"] = (open_ns + interval_s * NS_PER_S)[keep]
        klines["symbol"] = symbol[keep]
        klines["interval_s"] = interval_s[keep]
        for name, numbers in values.items():
            klines[name] = numbers[keep]
        klines["trades"] = trades[keep]
        klines["closed"] = 1
        return klines, floor_ns
