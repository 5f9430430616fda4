"""Row checks: which rows of a batch are refused, and the first reason of each. Array by array, never row by row."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from common.recordings.errors import FaultLog
from common.recordings.interval import NS_PER_S, grid_offset_seconds

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

TICK_NUMBERS = ("price", "qty", "bid", "ask", "bid_size", "ask_size", "open_24h", "high_24h", "low_24h", "volume_24h")
KLINE_NUMBERS = ("open", "high", "low", "close", "volume")

_ZERO_IS_ABSENT = frozenset({"bid", "ask", "open_24h", "high_24h", "low_24h"})
_NOT_POSITIVE = "is not a positive finite number"
_NEGATIVE = "is not a finite number of 0 or more"


class RowChecks:
    """The refused rows of one batch. A row keeps the reason it was refused for first."""

    def __init__(self, size: int) -> None:
        self._code = np.zeros(size, np.int32)
        self._reasons: list[tuple[str, str, NDArray[Any] | None]] = [("", "", None)]

    @property
    def clean(self) -> bool:
        """True while no row has been refused."""
        return len(self._reasons) == 1

    @property
    def refused(self) -> Mask:
        """One bool a row: True where refused."""
        refused: Mask = self._code != 0
        return refused

    def refuse(self, hit: Mask, column: str, reason: str, values: NDArray[Any] | None = None) -> None:
        """Refuse the rows of `hit`. With `values`, the reason is preceded by the row's value."""
        if hit.any():
            self._reasons.append((column, reason, values))
            self._code[hit & (self._code == 0)] = len(self._reasons) - 1

    def report(self, log: FaultLog, rows: NDArray[np.int64] | int, names: Mapping[str, str] | None = None) -> None:
        """Hand the refused rows to `log`, in row order.

        `rows` gives the place of each row in the file, or that of the first; `names` renames columns in the report.
        """
        if self.clean:
            return
        refused = np.flatnonzero(self._code)
        for done, i in enumerate(refused.tolist()):
            if not log.wants_more:
                log.add_silent(len(refused) - done)
                return
            column, reason, values = self._reasons[self._code[i]]
            text = reason if values is None else f"{values[i]} {reason}"
            row = rows + i if isinstance(rows, int) else int(rows[i])
            log.add(row, column if names is None else names.get(column, column), text)


def _bad(values: Floats, allow_zero: bool) -> Mask:
    # NaN is absent here and passes; a NaN that the file states is refused by the caller, who alone can tell.
    good: Mask = values >= 0 if allow_zero else values > 0
    good &= values < np.inf
    good |= values != values
    return ~good


def check_tick(checks: RowChecks, values: dict[str, Floats]) -> None:
    """Refuse impossible prices and amounts of ticks, where NaN counts as absent; `values` may hold only some columns.

    Bids and asks of 0 are made absent in `values`: venues send 0 for "no quote". So are the prices of the last 24
    hours, which are 0 for a symbol that did not trade.
    """
    for column, numbers in values.items():
        if column == "price":
            checks.refuse(_bad(numbers, allow_zero=False), column, _NOT_POSITIVE, numbers)
            continue
        checks.refuse(_bad(numbers, allow_zero=True), column, _NEGATIVE, numbers)
        if column in _ZERO_IS_ABSENT:
            zero = numbers == 0
            if zero.any():
                values[column] = np.where(zero, np.nan, numbers)
    if "price" in values and "qty" in values:
        stray = np.isnan(values["price"]) & ~np.isnan(values["qty"])
        checks.refuse(stray, "qty", "is given without a price")


def without_value(values: Mapping[str, Floats]) -> Mask:
    """Tell which ticks state no price, bid or ask."""
    return np.isnan(values["price"]) & np.isnan(values["bid"]) & np.isnan(values["ask"])


def check_forward(checks: RowChecks, column: str, times: NDArray[np.int64], floor: int) -> int:
    """Refuse times before `floor` or before an earlier good row. Gives the new floor: the last good row's time.

    Rows refused before do not count, so a damaged row cannot make its followers look late. Call it last.
    """
    if checks.clean and len(times) and times[0] >= floor and bool((times[1:] >= times[:-1]).all()):
        return int(times[-1])
    latest = np.where(checks.refused, floor, times)
    np.maximum.accumulate(latest, out=latest)
    np.maximum(latest, floor, out=latest)
    late = times < latest
    checks.refuse(late, column, "is before the time of an earlier row", times)
    return int(latest[-1]) if len(latest) else floor


def check_kline(
    checks: RowChecks, values: Mapping[str, Floats], open_ns: NDArray[np.int64], interval_s: NDArray[np.int64]
) -> None:
    """Refuse candles with impossible prices or volume, or whose open time is off their interval's grid.

    `interval_s` below 1 marks rows that were refused for it already.
    """
    for column in ("open", "high", "low", "close"):
        prices = values[column]
        checks.refuse(_bad(prices, allow_zero=False), column, _NOT_POSITIVE, prices)
        checks.refuse(prices != prices, column, "is missing")
    volume = values["volume"]
    checks.refuse(_bad(volume, allow_zero=True), "volume", _NEGATIVE, volume)
    checks.refuse(volume != volume, "volume", "is missing")
    checks.refuse(values["high"] < values["low"], "high", "is below the low", values["high"])

    known = np.unique(interval_s)
    for seconds in known[known > 0].tolist():
        # One pass an interval is cheap (files hold a few) and keeps the divisor a constant.
        step, offset = seconds * NS_PER_S, grid_offset_seconds(seconds) * NS_PER_S
        off_grid = (open_ns - offset) % step != 0
        if len(known) > 1:
            off_grid &= interval_s == seconds
        checks.refuse(off_grid, "open_ns", f"ns is not a multiple of the interval ({seconds} s)", open_ns)
