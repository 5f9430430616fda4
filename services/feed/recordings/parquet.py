"""Parquet recordings: ticks (trades and quotes) and closed klines, decoded and checked batch by batch."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tickflag.common.arrays import Floats, Integers, Mask, Records
from tickflag.common.recordings.checks import (
    KLINE_NUMBERS,
    TICK_NUMBERS,
    RowChecks,
    check_forward,
    check_kline,
    check_tick,
    without_value,
)
from tickflag.common.recordings.errors import RecordingError, RowFault
from tickflag.common.recordings.interval import LONGEST_INTERVAL_S, recorded_interval_s
from tickflag.common.recordings.symbols import SymbolIndex, symbol_fault
from tickflag.common.units import MS_PER_S, NS_PER_MS, NS_PER_S
from tickflag.services.feed.recordings.columns import Column, ColumnBatch, ColumnFile, TextColumn
from tickflag.services.feed.recordings.recording import (
    CHUNK_ROWS,
    KLINE_INPUT,
    Chunk,
    KlineChunk,
    Recording,
    Survey,
    TickChunk,
)
from tickflag.services.feed.recordings.records import empty_ticks, joined, pick
from tickflag.services.feed.recordings.time_units import TimeUnit

TICK_COLUMNS = (
    Column("ts_ns", "time"),
    Column("symbol", "text"),
    Column("price", "number"),
    Column("qty", "number"),
    Column("bid", "number"),
    Column("ask", "number"),
    Column("bid_size", "number", required=False),
    Column("ask_size", "number", required=False),
    Column("trade_id", "integer", required=False),
)
KLINE_COLUMNS = (
    Column("open_time_ms", "time"),
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
_NONE: frozenset[str] = frozenset()
# Leaves room for open + the longest interval.
_MAX_MS = np.iinfo(np.int64).max // NS_PER_MS - LONGEST_INTERVAL_S * MS_PER_S


def _decoded_symbol(raw: bytes) -> tuple[str, str | None]:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return "", "is not UTF-8 text"
    return name, symbol_fault(name)


def _symbol_indexes(texts: TextColumn, index: SymbolIndex, checks: RowChecks) -> Integers:
    """Each row's symbol index; rows whose symbol is missing or unfit are refused and get -1."""
    # One entry more than there are values: code -1 (missing) then reads the last one.
    lookup = np.full(len(texts.values) + 1, -1, np.int64)
    unfit: list[tuple[int, str]] = []
    for code, raw in texts.used():
        name, reason = _decoded_symbol(raw)
        if reason is None:
            lookup[code] = index.index(name)
        else:
            unfit.append((code, reason))
    found: Integers = lookup[texts.codes]
    if (found < 0).any():
        checks.refuse(texts.codes < 0, "symbol", "is missing")
        for code, reason in unfit:
            checks.refuse(texts.codes == code, "symbol", reason)
    return found


def _checked_integers(batch: ColumnBatch, name: str, checks: RowChecks) -> Integers:
    integers = batch.integers(name)
    if integers.missing is not None:
        checks.refuse(integers.missing, name, "is missing")
    return integers.values


def _checked_numbers(batch: ColumnBatch, name: str, checks: RowChecks) -> Floats:
    numbers = batch.numbers(name)
    if numbers.nan is not None:
        checks.refuse(numbers.nan, name, "is NaN; a value that is absent must be null")
    return numbers.values


def _extent(times_ns: Integers) -> Integers:
    return np.array([np.min(times_ns), np.max(times_ns)]) if len(times_ns) else times_ns


def _bounds(times_ns: list[Integers]) -> tuple[int | None, int | None]:
    filled = [times for times in times_ns if len(times)]
    if not filled:
        return None, None
    return min(int(np.min(times)) for times in filled), max(int(np.max(times)) for times in filled)


def _last_ends(symbol: Integers, interval_s: Integers, end_ns: Integers) -> Iterator[tuple[tuple[int, int], int]]:
    """For each symbol and interval that occurs, the end of its last candle."""
    order = np.lexsort((end_ns, interval_s, symbol))
    symbol, interval_s, end_ns = symbol[order], interval_s[order], end_ns[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (symbol[1:] != symbol[:-1]) | (interval_s[1:] != interval_s[:-1])
    for pair in np.flatnonzero(last).tolist():
        yield (int(symbol[pair]), int(interval_s[pair])), int(end_ns[pair])


class TickFile(Recording):
    """Parquet ticks: `ts_ns,symbol,price,qty,bid,ask`, in time order.

    A trade row has price and qty, a quote row bid and/or ask; what is null stays absent. A bid or ask of 0 is no quote,
    and a row that then states nothing is skipped as "no value". Event time is replay time. A `trade_id` tells two
    trades of one time apart, and the same trade in two files.
    """

    def __init__(self, path: Path, on_fault: Callable[[RowFault], None] | None = None, chunk_rows: int = CHUNK_ROWS):
        super().__init__(path, on_fault, chunk_rows)
        self._file = ColumnFile(path, TICK_COLUMNS)
        self._unit = TimeUnit(self.name, self._file, "ts_ns", "ns")
        self._index = SymbolIndex()
        _ = self.survey  # on opening, so that a damaged file is named before anything runs

    def _look_through(self) -> Survey:
        times: list[Integers] = []
        for batch in self._file.batches(("ts_ns", "symbol"), _BATCH_ROWS):
            _symbol_indexes(batch.texts("symbol"), self._index, RowChecks(len(batch)))
            ts_ns = self._unit.converted(batch.integers("ts_ns").values)
            times.append(_extent(ts_ns[ts_ns > 0]))
        start_ns, end_ns = _bounds(times)
        trades = frozenset(self._index.names) if self._file.has_values("price") else frozenset()
        ids = "trade_id" in self._file.names and self._file.has_values("trade_id")
        return Survey(self._index.names, {}, start_ns, end_ns, self._file.rows, start_ns, trades if not ids else _NONE)

    def _read(self) -> Iterator[Chunk]:
        floor_ns = 0
        first = self._file.groups_below("ts_ns", self._unit.stated(self.since_ns)) if self.since_ns else 0
        for batch in self._file.batches(self._file.names, _BATCH_ROWS, first):
            checks = RowChecks(len(batch))
            stated = _checked_integers(batch, "ts_ns", checks)
            ts_ns = self._unit.converted(stated)
            checks.refuse(ts_ns <= 0, "ts_ns", "is not a time in nanoseconds since 1970, from 1971 on", stated)
            symbol = _symbol_indexes(batch.texts("symbol"), self._index, checks)
            values = {name: _checked_numbers(batch, name, checks) for name in TICK_NUMBERS if batch.has(name)}
            check_tick(checks, values)
            floor_ns = check_forward(checks, "ts_ns", ts_ns, floor_ns)
            checks.report(self._faults, batch.row)

            keep = ~checks.refused
            empty = keep & without_value(values)
            self._skip("no value", int(np.count_nonzero(empty)))
            keep ^= empty
            ids = batch.integers("trade_id").values if batch.has("trade_id") else None
            yield TickChunk(self._index.names, _ticks(ts_ns, symbol, ids, values, keep))


def _ticks(
    ts_ns: Integers, symbol: Integers, ids: Integers | None, values: Mapping[str, Floats], keep: Mask
) -> Records:
    size = int(np.count_nonzero(keep))
    # Most batches have nothing to drop, and a whole slice is copied far faster than a mask.
    kept: Any = slice(None) if size == len(keep) else keep
    ticks = empty_ticks(size)
    ticks["event_ns"] = ticks["recv_ns"] = ts_ns[kept]
    ticks["symbol"] = symbol[kept]
    if ids is not None:
        ticks["trade_id"] = ids[kept]
    for name, numbers in values.items():
        ticks[name] = numbers[kept]
    return ticks


class KlineFile(Recording):
    """Parquet klines, all closed: `open_time_ms,symbol,interval,open,high,low,close,volume`, in open time order.

    A candle becomes known at open + interval, which is its replay time. The rows of a file that mixes
    intervals are put in that order while they are read; candles known at the same time stay in file order.
    """

    def __init__(self, path: Path, on_fault: Callable[[RowFault], None] | None = None, chunk_rows: int = CHUNK_ROWS):
        super().__init__(path, on_fault, chunk_rows)
        self._file = ColumnFile(path, KLINE_COLUMNS)
        self._unit = TimeUnit(self.name, self._file, "open_time_ms", "ms")
        self._index = SymbolIndex()
        # On opening, so that an unknown interval or a damaged file is named before anything runs.
        self._intervals_s = sorted(self.kline_intervals_s)
        self._until_ns = np.zeros((len(self._index.names), len(self._intervals_s)), np.int64)
        places = {name: place for place, name in enumerate(self._index.names)}
        for (symbol, interval_s), end_ns in self.survey.brought.items():
            self._until_ns[places[symbol], self._intervals_s.index(interval_s)] = end_ns

    def _look_through(self) -> Survey:
        times: list[Integers] = []
        opens: list[Integers] = []
        brought: dict[tuple[int, int], int] = {}
        for batch in self._file.batches(("open_time_ms", "symbol", "interval"), _BATCH_ROWS):
            symbol = _symbol_indexes(batch.texts("symbol"), self._index, RowChecks(len(batch)))
            interval_s = self._intervals(batch)
            open_ms = self._unit.converted(batch.integers("open_time_ms").values)
            sound = (open_ms > 0) & (open_ms <= _MAX_MS) & (interval_s > 0) & (symbol >= 0)
            open_ns, symbol, interval_s = open_ms[sound] * NS_PER_MS, symbol[sound], interval_s[sound]
            end_ns = open_ns + interval_s * NS_PER_S
            for pair, until_ns in _last_ends(symbol, interval_s, end_ns):
                brought[pair] = max(brought.get(pair, 0), until_ns)
            times.append(_extent(end_ns))
            opens.append(_extent(open_ns))
        start_ns, last_ns = _bounds(times)
        names = self._index.names
        named = {(names[index], seconds): until_ns for (index, seconds), until_ns in brought.items()}
        return Survey(names, named, start_ns, last_ns, self._file.rows, _bounds(opens)[0])

    def _intervals(self, batch: ColumnBatch) -> Integers:
        """Each row's interval in seconds, 0 where it is missing. Raises RecordingError on an unknown interval."""
        texts = batch.texts("interval")
        lookup = np.zeros(len(texts.values) + 1, np.int64)
        for code, raw in texts.used():
            name = raw.decode(errors="replace")
            seconds = recorded_interval_s(name)
            if seconds is None:
                row = batch.row + int(np.argmax(texts.codes == code))
                reason = f"unknown interval {name!r}; known are counts of s, m, h, d and w, such as 1m"
                raise RecordingError(self.name, reason, "interval", row)
            lookup[code] = seconds
        found: Integers = lookup[texts.codes]
        return found

    def _read(self) -> Iterator[Chunk]:
        shortest_ns = min(self.kline_intervals_s, default=1) * NS_PER_S
        floor_ns = 0
        waiting: Records = np.empty(0, KLINE_INPUT)
        opens_ms = (self.since_ns - max(self.kline_intervals_s, default=0) * NS_PER_S) // NS_PER_MS
        first = self._file.groups_below("open_time_ms", self._unit.stated(opens_ms)) if self.since_ns else 0
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

    def _decode(self, batch: ColumnBatch, floor_ns: int) -> tuple[Records, int]:
        checks = RowChecks(len(batch))
        stated = _checked_integers(batch, "open_time_ms", checks)
        open_ms = self._unit.converted(stated)
        outside = (open_ms <= 0) | (open_ms > _MAX_MS)
        checks.refuse(outside, "open_time_ms", "is not a time in milliseconds since 1970, from 1971 on", stated)
        open_ns = np.where(outside, 0, open_ms) * NS_PER_MS
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
        klines["event_ns"] = klines["recv_ns"]
        klines["symbol"] = symbol[keep]
        klines["interval_s"] = interval_s[keep]
        if len(klines):
            places = np.searchsorted(self._intervals_s, klines["interval_s"])
            klines["until_ns"] = self._until_ns[klines["symbol"], places]
        for name, numbers in values.items():
            klines[name] = numbers[keep]
        klines["trades"] = trades[keep]
        klines["closed"] = 1
        klines["last_id"] = 0
        return klines, floor_ns
