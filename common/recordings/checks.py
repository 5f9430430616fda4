"""Row checks: which rows of a batch are refused, each with its first reason. They work on arrays, never row by row."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickflag.common.arrays import Floats, Integers, Mask
from tickflag.common.recordings.errors import RowFaultLog
from tickflag.common.recordings.interval import grid_offset_seconds
from tickflag.common.units import NS_PER_S

TICK_NUMBERS = ("price", "qty", "bid", "ask", "bid_size", "ask_size", "open_24h", "high_24h", "low_24h", "volume_24h")
KLINE_NUMBERS = ("open", "high", "low", "close", "volume")

ROUNDING = 1e-6
"""How far open and close may lie outside low to high, as a share of these: writers round each price on its own."""

_ZERO_IS_ABSENT = frozenset({"bid", "ask", "open_24h", "high_24h", "low_24h"})
_NOT_POSITIVE = "is not a positive finite number"
_NEGATIVE = "is not a finite number of 0 or more"


class RowChecks:
    """The refused rows of one batch. A row keeps its first reason."""

    def __init__(self, size: int) -> None:
        self._code = np.zeros(size, np.int32)
        self._reasons: list[tuple[str, str, NDArray[Any] | None]] = [("", "", None)]
        self._widened: list[tuple[Mask, str, Floats, Floats]] = []

    @property
    def clean(self) -> bool:
        """True while no row is refused."""
        return len(self._reasons) == 1

    @property
    def refused(self) -> Mask:
        """By row: True where the row is refused."""
        refused: Mask = self._code != 0
        return refused

    def refuse(self, hit: Mask, column: str, reason: str, values: NDArray[Any] | None = None) -> None:
        """Refuse the rows where `hit` is True. With `values`, the row's value precedes the reason."""
        if hit.any():
            self._reasons.append((column, reason, values))
            self._code[hit & (self._code == 0)] = len(self._reasons) - 1

    def widen(self, hit: Mask, column: str, stated: Floats, made: Floats) -> None:
        """Note the rows where `hit` is True, whose value of `column` becomes that of `made`; refused ones do not
        count."""
        self._widened.append((hit, column, stated, made))

    def report(self, log: RowFaultLog, rows: Integers | int, names: Mapping[str, str] | None = None) -> None:
        """Hand the refused rows to `log`, in row order, and those that were widened.

        `rows` has the number of each row in the file, or of the first row; `names` renames columns in the report.
        """
        self._report_widened(log, rows, names or {})
        if self.clean:
            return
        refused = np.flatnonzero(self._code)
        for done, i in enumerate(refused.tolist()):
            if not log.wants_more:
                log.add_silent(len(refused) - done)
                return
            column, reason, values = self._reasons[self._code[i]]
            text = reason if values is None else f"{values[i]} {reason}"
            log.add(_place(rows, i), column if names is None else names.get(column, column), text)

    def _report_widened(self, log: RowFaultLog, rows: Integers | int, names: Mapping[str, str]) -> None:
        either: Mask = np.zeros(len(self._code), np.bool_)
        for hit, _, _, _ in self._widened:
            either |= hit
        either &= ~self.refused
        if not either.any():
            return
        first = int(np.argmax(either))
        _, column, stated, made = next(found for found in self._widened if found[0][first])
        reason = f"{stated[first]} becomes {made[first]}, as open or close lie beyond it by rounding"
        log.widen(int(np.count_nonzero(either)), _place(rows, first), names.get(column, column), reason)


def _place(rows: Integers | int, i: int) -> int:
    """The number of row `i` in its file."""
    return rows + i if isinstance(rows, int) else int(rows[i])


def _bad(values: Floats, allow_zero: bool) -> Mask:
    # NaN means absent here, and passes. Only the caller can see that a file states NaN, and refuses such a row.
    good: Mask = values >= 0 if allow_zero else values > 0
    good &= values < np.inf
    good |= values != values
    return ~good


def check_tick(checks: RowChecks, values: dict[str, Floats]) -> None:
    """Refuse impossible prices and amounts of ticks. NaN counts as absent; `values` may lack columns.

    In `values` a bid or ask of 0 becomes absent, as venues send 0 for "no quote"; so does a 24 h price of 0, which is
    that of a symbol without trades.
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
    """Which ticks state no price, bid or ask."""
    return np.isnan(values["price"]) & np.isnan(values["bid"]) & np.isnan(values["ask"])


def check_forward(checks: RowChecks, column: str, times: Integers, floor: int) -> int:
    """Refuse times before `floor` or before an earlier good row. Gives the new floor: the last good row's time.

    Rows that are refused already do not count, so a damaged row cannot make later rows look late. Call it last.
    """
    if checks.clean and len(times) and times[0] >= floor and bool((times[1:] >= times[:-1]).all()):
        return int(times[-1])
    latest = np.where(checks.refused, floor, times)
    np.maximum.accumulate(latest, out=latest)
    np.maximum(latest, floor, out=latest)
    late = times < latest
    checks.refuse(late, column, "is before the time of an earlier row", times)
    return int(latest[-1]) if len(latest) else floor


def check_kline(checks: RowChecks, values: dict[str, Floats], open_ns: Integers, interval_s: Integers) -> None:
    """Refuse candles with an impossible price or volume, or with an open time off their interval's grid.

    Where open or close lie outside low to high by no more than rounding does, `values` gets another high or low, and
    the row counts as widened. An `interval_s` below 1 marks rows that were already refused for their interval.
    """
    for column in ("open", "high", "low", "close"):
        prices = values[column]
        checks.refuse(_bad(prices, allow_zero=False), column, _NOT_POSITIVE, prices)
        checks.refuse(prices != prices, column, "is missing")
    volume = values["volume"]
    checks.refuse(_bad(volume, allow_zero=True), "volume", _NEGATIVE, volume)
    checks.refuse(volume != volume, "volume", "is missing")
    with np.errstate(invalid="ignore"):  # of infinite prices, which are refused already
        _widen(checks, values)
    known = np.unique(interval_s)
    for seconds in known[known > 0].tolist():
        # A pass for each interval is cheap, as files hold few, and keeps the divisor a constant.
        step, offset = seconds * NS_PER_S, grid_offset_seconds(seconds) * NS_PER_S
        off_grid = (open_ns - offset) % step != 0
        if len(known) > 1:
            off_grid &= interval_s == seconds
        monday = ", counted from a Monday" if offset else ""
        reason = f"UTC is not a multiple of the interval ({seconds} s{monday})"
        checks.refuse(off_grid, "open_ns", reason, open_ns.view("M8[ns]"))


def _widen(checks: RowChecks, values: dict[str, Floats]) -> None:
    """Make room in low to high for open and close that lie outside by rounding; refuse what lies further outside."""
    high, low = values["high"], values["low"]
    checks.refuse(low - high > ROUNDING * low, "high", "is below the low", high)
    for column in ("open", "close"):
        prices = values[column]
        checks.refuse(prices - high > ROUNDING * high, column, "is above the high", prices)
        checks.refuse(low - prices > ROUNDING * low, column, "is below the low", prices)
    top, bottom = np.fmax(values["open"], values["close"]), np.fmin(values["open"], values["close"])
    for column, short, wanted in (("high", high < top, top), ("low", low > bottom, bottom)):
        if short.any():
            checks.widen(short, column, values[column], wanted)
            values[column] = np.where(short, wanted, values[column])
