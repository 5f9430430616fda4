"""Table: turns batches of any table into checked rows of a recording. Rows at fault are refused and reported."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickflag.common.arrays import Floats, Integers, Mask
from tickflag.common.errors import TickflagError
from tickflag.common.recordings.casting import arrow, cast
from tickflag.common.recordings.checks import KLINE_NUMBERS, RowChecks, check_kline, check_tick, without_value
from tickflag.common.recordings.dates import is_time_of_day, joined
from tickflag.common.recordings.errors import RowFaultLog
from tickflag.common.recordings.interval import recorded_interval_s
from tickflag.common.recordings.naming import RECORDED_TICK_NUMBERS, ColumnRequest, Naming
from tickflag.common.recordings.numbers import NumberForm
from tickflag.common.recordings.symbols import symbol_fault
from tickflag.common.recordings.times import Times
from tickflag.common.units import NS_PER_MS

_PLAIN = NumberForm()
_PRICES = ("price", "bid", "ask", "open", "high", "low", "close")
_NO_NUMBER = ("", "nan", "null", "none", "na", "n/a", "-")


class RecordedRows:
    """The good rows of a batch. `places` are their numbers in the table, `times_ns` their times."""

    def __init__(self, batch: Any, times_ns: Integers, places: Integers) -> None:
        self.batch = batch
        self.times_ns = times_ns
        self.places = places

    def __len__(self) -> int:
        return len(self.times_ns)


class TableReader:
    """Turns batches into rows. Refused rows are reported to `faults`, with the table's own column names."""

    def __init__(
        self,
        naming: Naming,
        wanted: ColumnRequest,
        times: Times,
        faults: RowFaultLog,
        numbers: NumberForm = _PLAIN,
    ) -> None:
        self._form = numbers
        self._naming, self._wanted, self._times, self._faults = naming, wanted, times, faults
        self._has_days: bool | None = None  # whether days stand in a column of their own, once that is known
        self.skipped = 0
        """How many ticks stated no price, bid or ask."""
        self.nameless = 0
        """How many ticks state a trade id that is no whole number; they are written without one."""
        for given, fault in ((wanted.symbol, symbol_fault), (wanted.interval, _interval_fault)):
            reason = fault(given) if given else None
            if reason is not None:
                raise TickflagError(f"{given!r} {reason}")

    def rows(self, batch: Any, places: Integers) -> RecordedRows:
        """The good rows of a pyarrow batch or table; `places` are the numbers of its rows."""
        columns = {ours: _plain(batch.column(theirs)) for ours, theirs in self._naming.columns.items()}
        checks = RowChecks(len(places))
        times_ns = self._read_times(columns, checks)
        found = {"symbol": self._texts(columns, "symbol", self._wanted.symbol, symbol_fault, checks)}
        if self._naming.kind == "ticks":
            keep = self._ticks(columns, found, checks)
        else:
            keep = self._klines(columns, found, times_ns, checks)
        checks.report(self._faults, places, dict(self._naming.columns) | {"open_ns": self._naming.columns["time"]})
        self.skipped += int(np.count_nonzero(~keep & ~checks.refused))
        kept = np.flatnonzero(keep & ~checks.refused)
        stamp = ("ts_ns", times_ns) if self._naming.kind == "ticks" else ("open_time_ms", times_ns // NS_PER_MS)
        made = arrow().table({stamp[0]: stamp[1], **found}).take(kept)
        return RecordedRows(made, times_ns[kept], places[kept])

    def _read_times(self, columns: dict[str, Any], checks: RowChecks) -> Integers:
        column = columns["time"]
        if "date" in columns:
            if self._has_days is None:
                self._has_days = is_time_of_day(column)
            column = joined(columns["date"], column) if self._has_days else column
        read = self._times.nanoseconds(column)
        checks.refuse(read.missing, "time", "is missing")
        for hit, reason in read.faults:
            checks.refuse(hit, "time", reason, _shown(column, hit))
        return read.values

    def _ticks(self, columns: dict[str, Any], found: dict[str, Any], checks: RowChecks) -> Mask:
        values = dict.fromkeys(RECORDED_TICK_NUMBERS, np.full(len(found["symbol"]), np.nan))
        values |= {name: self._numbers(columns, name, checks) for name in RECORDED_TICK_NUMBERS if name in columns}
        check_tick(checks, values)
        found |= {name: _with_nulls(numbers) for name, numbers in values.items()}
        found["trade_id"] = self._trade_ids(columns)
        return ~without_value(values)

    def _klines(self, columns: dict[str, Any], found: dict[str, Any], times_ns: Integers, checks: RowChecks) -> Mask:
        texts = self._texts(columns, "interval", self._wanted.interval, _interval_fault, checks)
        codes = texts.indices.fill_null(-1).to_numpy()
        known = [recorded_interval_s(name) or 0 for name in texts.dictionary.to_pylist()]
        interval_s = np.array([*known, 0], np.int64)[codes]  # code -1 takes the last entry
        values = {name: self._numbers(columns, name, checks) for name in KLINE_NUMBERS}
        check_kline(checks, values, times_ns, interval_s)
        found |= {"interval": texts, **{name: _with_nulls(values[name]) for name in KLINE_NUMBERS}}
        trades = np.zeros(len(times_ns))
        if "trades" in columns:
            trades = np.nan_to_num(self._numbers(columns, "trades", checks), nan=0.0)
            checks.refuse((trades < 0) | (trades >= 1 << 53), "trades", "is not a count", trades)
        found["trades"] = np.where(checks.refused, 0.0, trades).astype(np.int64)
        return np.ones(len(times_ns), np.bool_)

    def _numbers(self, columns: dict[str, Any], name: str, checks: RowChecks) -> Floats:
        """A column as floats, NaN where a value is missing; refuses the rows whose value is no number."""
        column, pa = _stated(columns[name]), arrow()
        is_text = pa.types.is_string(column.type)
        plain = self._form.plain(column) if is_text else column
        read = cast(plain, pa.float64())
        failed = column.is_valid().to_numpy(zero_copy_only=False) if pa.types.is_boolean(column.type) else read.failed
        if is_text and failed.any():
            comma = pa.compute.match_substring(column, ",").fill_null(False).to_numpy(zero_copy_only=False)
            reason = "is not a number: say what its commas and points mean by `--decimal` and `--thousands`"
            checks.refuse(failed & comma, name, reason, _shown(column, failed & comma))
        checks.refuse(failed, name, "is not a number", _shown(column, failed))
        if self._naming.fixed_point and name in _PRICES:
            whole = ~np.isnan(read.values)
            if is_text:
                whole &= ~pa.compute.match_substring(plain, ".").fill_null(False).to_numpy(zero_copy_only=False)
            elif not pa.types.is_integer(column.type):
                whole[:] = False
            checks.refuse(whole, name, "is in units of 1e-9, as Databento writes prices without pretty_px")
        return np.array(read.values, np.float64)

    def _trade_ids(self, columns: dict[str, Any]) -> Any:
        """The column of trade ids; null where a tick has none."""
        pa = arrow()
        if "trade_id" not in columns:
            return pa.nulls(len(columns["time"]), pa.int64())
        column = _stated(columns["trade_id"])
        if pa.types.is_string(column.type):
            fits = pa.compute.match_substring_regex(column, r"^\d+$")
            self.nameless += int(np.count_nonzero(~fits.fill_null(True).to_numpy(zero_copy_only=False)))
            column = pa.compute.if_else(fits, column, None)
        ids = cast(column, pa.int64())
        self.nameless += int(np.count_nonzero(ids.failed))
        return pa.compute.if_else(pa.compute.greater_equal(ids.array, 0), ids.array, None)

    def _texts(self, columns: dict[str, Any], ours: str, given: str, fault: Any, checks: RowChecks) -> Any:
        """A column of names, dictionary-encoded. Refuses rows without a name, and rows for whose name `fault` gives a
        reason."""
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
    if recorded_interval_s(name) is None:
        return f"is the unknown interval {name!r}; known are counts of s, m, h, d and w, such as 1m"
    return None


def _plain(column: Any) -> Any:
    """The column in one piece, without dictionary codes or views; the columns of frames come in several pieces."""
    pa = arrow()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    is_view = getattr(pa.types, "is_string_view", lambda _type: False)
    return column.cast(pa.string()) if is_view(column.type) or pa.types.is_large_string(column.type) else column


def _stated(column: Any) -> Any:
    """The column, null where a text says that there is no number."""
    pa = arrow()
    if not pa.types.is_string(column.type):
        return column
    column = pa.compute.utf8_trim_whitespace(column)
    none = pa.compute.is_in(pa.compute.utf8_lower(column), pa.array(_NO_NUMBER))
    return pa.compute.if_else(none, None, column)


def _with_nulls(values: Floats) -> Any:
    return arrow().array(values, mask=np.isnan(values))


def _shown(column: Any, which: Mask) -> NDArray[Any]:
    """The column's values as quoted texts for a report; made only for the rows of `which`."""
    shown = np.full(len(which), "", object)
    for i in _indexes(which):
        shown[i] = repr(column[i].as_py())[:80]
    return shown


def _indexes(which: Mask) -> Iterator[int]:
    yield from np.flatnonzero(which).tolist()
