"""Table: batches of any table as checked rows of a recording. A row at fault is refused and reported."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import TickflagError
from common.recordings.casting import arrow, cast
from common.recordings.checks import KLINE_NUMBERS, Mask, RowChecks, check_kline, check_tick, without_value
from common.recordings.errors import FaultLog
from common.recordings.interval import interval_seconds
from common.recordings.naming import TICK_NUMBERS, Naming, Wanted
from common.recordings.symbols import symbol_fault
from common.recordings.times import Times

_NS_PER_MS = 1_000_000
_NO_NUMBER = ("", "nan", "null", "none", "na", "n/a", "-")


class Rows:
    """The good rows of a batch. `places` are their numbers in the table, `times_ns` their times."""

    def __init__(self, batch: Any, times_ns: NDArray[np.int64], places: NDArray[np.int64]) -> None:
        self.batch = batch
        self.times_ns = times_ns
        self.places = places

    def __len__(self) -> int:
        return len(self.times_ns)


class Reader:
    """Turns batches into rows. What it refuses goes to `faults`, which names columns as the table does."""

    def __init__(self, naming: Naming, wanted: Wanted, times: Times, faults: FaultLog) -> None:
        self._naming, self._wanted, self._times, self._faults = naming, wanted, times, faults
        self.skipped = 0
        """Ticks that state no price, bid or ask."""
        for given, fault in ((wanted.symbol, symbol_fault), (wanted.interval, _interval_fault)):
            reason = fault(given) if given else None
            if reason is not None:
                raise TickflagError(f"{given!r} {reason}")

    def rows(self, batch: Any, places: NDArray[np.int64]) -> Rows:
        """The good rows of a pyarrow batch or table whose rows have the numbers `places`."""
        columns = {ours: _plain(batch.column(theirs)) for ours, theirs in self._naming.columns.items()}
        checks = RowChecks(len(places))
        times_ns = self._read_times(columns["time"], checks)
        found = {"symbol": self._texts(columns, "symbol", self._wanted.symbol, symbol_fault, checks)}
        if self._naming.kind == "ticks":
            keep = self._ticks(columns, found, checks)
        else:
            keep = self._klines(columns, found, times_ns, checks)
        checks.report(self._faults, places, dict(self._naming.columns) | {"open_ns": self._naming.columns["time"]})
        self.skipped += int(np.count_nonzero(~keep & ~checks.refused))
        kept = np.flatnonzero(keep & ~checks.refused)
        stamp = ("ts_ns", times_ns) if self._naming.kind == "ticks" else ("open_time_ms", times_ns // _NS_PER_MS)
        made = arrow().table({stamp[0]: stamp[1], **found}).take(kept)
        return Rows(made, times_ns[kept], places[kept])

    def _read_times(self, column: Any, checks: RowChecks) -> NDArray[np.int64]:
        read = self._times.nanoseconds(column)
        checks.refuse(read.failed, "time", "is no time", _shown(column, read.failed))
        checks.refuse(read.missing, "time", "is missing")
        checks.refuse(read.values <= 0, "time", "is not a time since 1970", read.values)
        values: NDArray[np.int64] = read.values
        return values

    def _ticks(self, columns: dict[str, Any], found: dict[str, Any], checks: RowChecks) -> Mask:
        values = dict.fromkeys(TICK_NUMBERS, np.full(len(found["symbol"]), np.nan))
        values |= {name: _numbers(columns[name], name, checks) for name in TICK_NUMBERS if name in columns}
        check_tick(checks, values)
        found |= {name: _with_nulls(numbers) for name, numbers in values.items()}
        return ~without_value(values)

    def _klines(
        self, columns: dict[str, Any], found: dict[str, Any], times_ns: NDArray[np.int64], checks: RowChecks
    ) -> Mask:
        texts = self._texts(columns, "interval", self._wanted.interval, _interval_fault, checks)
        codes = texts.indices.fill_null(-1).to_numpy()
        known = [interval_seconds(name) or 0 for name in texts.dictionary.to_pylist()]
        interval_s = np.array([*known, 0], np.int64)[codes]  # the last one is that of -1
        values = {name: _numbers(columns[name], name, checks) for name in KLINE_NUMBERS}
        check_kline(checks, values, times_ns, interval_s)
        found |= {"interval": texts, **{name: _with_nulls(values[name]) for name in KLINE_NUMBERS}}
        trades = np.zeros(len(times_ns))
        if "trades" in columns:
            trades = np.nan_to_num(_numbers(columns["trades"], "trades", checks), nan=0.0)
            checks.refuse((trades < 0) | (trades >= 1 << 53), "trades", "is not a count", trades)
        found["trades"] = np.where(checks.refused, 0.0, trades).astype(np.int64)
        return np.ones(len(times_ns), np.bool_)

    def _texts(self, columns: dict[str, Any], ours: str, given: str, fault: Any, checks: RowChecks) -> Any:
        """A column of names by code: dictionary-encoded, null where it is missing or unfit."""
        pa = arrow()
        if given:
            size = len(columns["time"])
            return pa.DictionaryArray.from_arrays(np.zeros(size, np.int32), pa.array([given], pa.string()))
        column = columns[ours]
        texts = pa.compute.utf8_trim_whitespace(column.cast(pa.string()))
        coded = pa.compute.if_else(pa.compute.equal(texts, ""), None, texts).dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy()
        checks.refuse(codes < 0, ours, "is missing")
        for code, name in enumerate(coded.dictionary.to_pylist()):
            reason = fault(name)
            if reason is not None:
                checks.refuse(codes == code, ours, reason)
        return coded


def _interval_fault(name: str) -> str | None:
    if interval_seconds(name) is None:
        return f"is the unknown interval {name!r}; known are counts of s, m, h, d and w, such as 1m"
    return None


def _plain(column: Any) -> Any:
    """A column in one piece and without codes. Whole frames come in several."""
    pa = arrow()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    is_view = getattr(pa.types, "is_string_view", lambda _type: False)
    return column.cast(pa.string()) if is_view(column.type) or pa.types.is_large_string(column.type) else column


def _numbers(column: Any, name: str, checks: RowChecks) -> NDArray[np.float64]:
    """Floats, NaN where there is none; refuses the rows whose value is no number."""
    pa = arrow()
    if pa.types.is_string(column.type):
        column = pa.compute.utf8_trim_whitespace(column)
        none = pa.compute.is_in(pa.compute.utf8_lower(column), pa.array(_NO_NUMBER))
        column = pa.compute.if_else(none, None, column)
    read = cast(column, pa.float64())
    checks.refuse(read.failed, name, "is not a number", _shown(column, read.failed))
    return np.array(read.values, np.float64)


def _with_nulls(values: NDArray[np.float64]) -> Any:
    return arrow().array(values, mask=np.isnan(values))


def _shown(column: Any, which: Mask) -> NDArray[Any]:
    """The values of a report, quoted; made for the rows at fault only."""
    shown = np.full(len(which), "", object)
    for i in _indexes(which):
        shown[i] = repr(column[i].as_py())[:80]
    return shown


def _indexes(which: Mask) -> Iterator[int]:
    yield from np.flatnonzero(which).tolist()
