"""Times: reads a column of times in any usual form as UTC nanoseconds."""

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from tickflag.common.arrays import Floats, Integers, Mask
from tickflag.common.errors import TickflagError
from tickflag.common.recordings.casting import arrow, cast
from tickflag.common.recordings.dates import DateOrder, iso_texts
from tickflag.common.units import MS_PER_S, NS_PER_MS, NS_PER_S, S_PER_DAY

Unit = Literal["auto", "ns", "us", "ms", "s", "iso", "excel"]
UNITS = get_args(Unit)
FROM_YEAR = 1990
"""Times before this year are refused unless they are asked for: numbers in another unit than one thinks look so."""

_DIGITS = {"ns": 0, "us": 3, "ms": 6, "s": 9}  # decimal places that nanoseconds take in each unit
_LARGEST_NS = 9.2e18  # the year 2261
_TO_YEAR = 2200
_EARLIEST_YEAR = 1971  # replays take an earlier time for a later one in another unit
# The units' numbers from this year to _TO_YEAR do not overlap, nor do they with dates written as numbers.
_LEAST_YEAR = 1980
_CALENDAR = tuple((19_700_101 * 10**zeros, 22_000_101 * 10**zeros) for zeros in (0, 4, 6, 9))  # 20240304, 202403041530
_EXCEL_EPOCH_S = -25_569 * S_PER_DAY  # of day 0, 1899-12-30
_EXCEL_DAYS = (20_000.0, 110_000.0)

Faults = list[tuple[Mask, str]]


class ReadTimes(NamedTuple):
    """Times as UTC nanoseconds; 0 where a value is missing or at fault."""

    values: Integers
    missing: Mask
    faults: Faults
    """Which values are at fault, and why."""


@dataclass(slots=True)
class Times:
    """Reads one column, batch after batch. Where no unit is given, the size of each number tells its own.

    `timezone` is the zone of texts and timestamps that name none. `date_order` is that of dates as 03/04/2024. Times
    before `from_year` are refused.
    """

    unit: Unit = "auto"
    timezone: str = "UTC"
    from_year: int = FROM_YEAR
    date_order: DateOrder = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise TickflagError(f"time unit {self.unit!r}: use one of {', '.join(UNITS)}")
        if self.date_order not in ("", "dmy", "mdy"):
            raise TickflagError(f"order of dates {self.date_order!r}: use dmy or mdy")
        if not _EARLIEST_YEAR <= self.from_year <= _TO_YEAR:
            raise TickflagError(f"first year {self.from_year!r}: use {_EARLIEST_YEAR} or a later one")
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise TickflagError(f"no time zone {self.timezone!r}: use a name as UTC or Europe/Berlin") from None

    def nanoseconds(self, column: Any) -> ReadTimes:
        """The column as UTC nanoseconds."""
        pa = arrow()
        types = pa.types
        faults: Faults = []
        if types.is_date(column.type):
            column = column.cast(pa.timestamp("s"))
        missing = column.is_null().to_numpy(zero_copy_only=False)
        if types.is_timestamp(column.type):
            values = self._utc(column, faults)
        elif types.is_string(column.type):
            column = pa.compute.utf8_trim_whitespace(column)
            column = pa.compute.if_else(pa.compute.equal(column, ""), None, column)
            missing = column.is_null().to_numpy(zero_copy_only=False)
            values = self._of_texts(column, faults)
        elif types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type):
            values, missing = self._of_numbers(column, faults)
        else:
            values = np.zeros(len(column), np.int64)
        early = (values < _year_ns(self.from_year)) & (values != 0)
        faults.append(
            (
                early,
                f"is before {self.from_year}: say the unit of the times by `--time-unit` or the argument `time_unit`; "
                "or, where that is right, the first year by `--from-year` or `from_year`",
            )
        )
        read = np.where(early, 0, values)
        faults.append(((read == 0) & ~missing, "is no time"))
        return ReadTimes(read, missing, faults)

    def _of_texts(self, column: Any, faults: Faults) -> Integers:
        pa = arrow()
        digits_only = _mask(pa.compute.match_substring_regex(column, r"^[+-]?\d+(\.\d*)?$"))
        faults.append(
            (
                _mask(pa.compute.match_substring_regex(column, r"^[+-]?\d+(\.\d*)?[eE][+-]?\d+$")),
                "has lost digits: a spreadsheet wrote it with an exponent",
            )
        )
        if self.unit == "excel":
            return self._of_excel_texts(_only(column, digits_only), faults)
        if self.unit in _DIGITS:
            return _exact(_only(column, digits_only), self.unit)
        values = np.zeros(len(column), np.int64)
        calendar = np.ones(len(column), np.bool_)
        if self.unit == "auto" and digits_only.any():
            numbers = cast(_only(column, digits_only), pa.float64()).values
            units, calendar = self._units(numbers, faults)
            for unit in _DIGITS:
                if (units == unit).any():
                    values += _exact(_only(column, units == unit), unit)
            calendar |= ~digits_only
        return values + self._of_iso(_only(column, calendar), faults)

    def _units(self, numbers: Floats, faults: Faults) -> tuple[NDArray[Any], Mask]:
        """The unit of each number, empty where it has none; and which ones are dates written as a number."""
        units = np.full(len(numbers), "", "U2")
        for unit, digits in _DIGITS.items():
            least, most = (_year_ns(year) / 10**digits for year in (max(self.from_year, _LEAST_YEAR), _TO_YEAR))
            units[(numbers >= least) & (numbers < most)] = unit
        whole = np.floor(numbers) == numbers
        calendar: Mask = np.zeros(len(numbers), np.bool_)
        for first, last in _CALENDAR:
            calendar |= whole & (numbers >= first) & (numbers < last)
        days = (numbers >= _EXCEL_DAYS[0]) & (numbers <= _EXCEL_DAYS[1])
        faults.append(
            (days, "is no time since 1970, but may be a date of Excel: give `--time-unit excel` or `time_unit='excel'`")
        )
        others = (units == "") & ~calendar & ~days & ~np.isnan(numbers)
        faults.append(
            (
                others,
                f"is no time from {max(self.from_year, _LEAST_YEAR)} to {_TO_YEAR - 1} in s, ms, us or ns since 1970: "
                "give the unit by `--time-unit` or the argument `time_unit`",
            )
        )
        units[calendar] = ""
        return units, calendar

    def _of_iso(self, column: Any, faults: Faults) -> Integers:
        """Texts in ISO 8601 or near it; those without an offset are in `timezone`."""
        pa = arrow()
        if column.null_count == len(column):
            return np.zeros(len(column), np.int64)
        texts, unordered = iso_texts(column, self.date_order)
        faults.append((unordered, "has day and month in either order: give `--date-order` or `date_order`, dmy or mdy"))
        with_offset = pa.compute.match_substring_regex(texts, r"[Tt ].*(Z|z|[+-]\d\d:?(\d\d)?)$")
        zoned = cast(pa.compute.if_else(with_offset, texts, None), pa.timestamp("ns", "UTC"))
        plain = cast(pa.compute.if_else(with_offset, None, texts), pa.timestamp("ns"))
        return _int64(zoned.array) + self._utc(plain.array, faults)

    def _of_numbers(self, column: Any, faults: Faults) -> tuple[Integers, Mask]:
        pa = arrow()
        numbers = cast(column, pa.float64()).values
        missing: Mask = np.isnan(numbers)
        if self.unit == "excel":
            return self._local(_excel_ns(numbers, np.full(len(numbers), 9)), faults), missing
        units = np.full(len(numbers), self.unit, "U4")
        values = np.zeros(len(numbers), np.int64)
        if self.unit in ("auto", "iso"):
            units, calendar = self._units(numbers, faults)
            if calendar.any():
                texts = pa.array(np.where(calendar, numbers, 0).astype(np.int64)).cast(pa.string())
                values += self._of_iso(_only(texts, calendar), faults)
        for unit, digits in _DIGITS.items():
            fits = (units == unit) & (np.abs(numbers) < _LARGEST_NS / 10**digits)
            if not fits.any():
                continue
            if pa.types.is_integer(column.type):
                whole = column.fill_null(0).cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False)
                values += np.where(fits, whole, 0) * 10**digits
            else:
                # Separately, as the nanoseconds need more digits than a float has.
                fraction, whole = np.modf(np.where(fits, numbers, 0.0))
                values += whole.astype(np.int64) * 10**digits + np.rint(fraction * 10**digits).astype(np.int64)
        return values, missing

    def _of_excel_texts(self, column: Any, faults: Faults) -> Integers:
        pa = arrow()
        decimals = pa.compute.utf8_length(pa.compute.replace_substring_regex(column, r"^[^.]*\.?", ""))
        places = decimals.fill_null(0).to_numpy(zero_copy_only=False)
        return self._local(_excel_ns(cast(column, pa.float64()).values, places), faults)

    def _local(self, local_ns: Integers, faults: Faults) -> Integers:
        """Local times as UTC; 0 where they are 0."""
        pa = arrow()
        return self._utc(pa.array(local_ns, mask=local_ns == 0).cast(pa.timestamp("ns")), faults)

    def _utc(self, stamps: Any, faults: Faults) -> Integers:
        """Timestamps as UTC nanoseconds; 0 where there is none, or none that fits."""
        pa = arrow()
        if stamps.type.tz is not None:
            return _int64(cast(stamps, pa.timestamp("ns", "UTC")).array)
        stamps = cast(stamps, pa.timestamp("ns")).array
        first, last = (
            _int64(pa.compute.assume_timezone(stamps, self.timezone, ambiguous=which, nonexistent=which))
            for which in ("earliest", "latest")
        )
        # Of a time that does not exist these are the last and the first nanosecond beside the gap.
        skipped = last - first == 1
        faults.append((skipped, f"does not exist in {self.timezone}: clocks are set forward over it"))
        faults.append(
            (
                (first != last) & ~skipped,
                f"comes twice in {self.timezone}, as clocks are set back: give times with their offset, or in UTC",
            )
        )
        return np.where(first == last, first, 0)


def _year_ns(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S


def _mask(found: Any) -> Mask:
    mask: Mask = found.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _only(column: Any, which: Mask) -> Any:
    """The column, null elsewhere."""
    pa = arrow()
    return pa.compute.if_else(pa.array(which), column, pa.scalar(None, column.type))


def _exact(texts: Any, unit: str) -> Integers:
    """Decimal texts in a unit as nanoseconds, to the last digit; 0 where there is none, or none that fits."""
    pa = arrow()
    found = cast(texts, pa.decimal128(38, _DIGITS[unit]))
    # A decimal is an integer of 128 bits, here of nanoseconds. A value that needs more than 64 bits is no time.
    pairs = np.frombuffer(found.array.buffers()[1], np.int64).reshape(-1, 2)
    low, high = pairs[found.array.offset : found.array.offset + len(texts)].T
    return np.where(found.missing | (high != low >> 63), 0, low)


def _excel_ns(days: Floats, decimals: Integers) -> Integers:
    """Dates of Excel, in days, as nanoseconds since 1970; 0 where there is none.

    A date with few decimals is a rounded one: where a whole second lies within them it is that one, else the nearest
    millisecond.
    """
    fits = (days >= _EXCEL_DAYS[0]) & (days <= _EXCEL_DAYS[1])
    fraction, whole = np.modf(np.where(fits, days, 0.0))
    seconds = fraction * S_PER_DAY
    rounded = np.abs(seconds - np.rint(seconds)) <= S_PER_DAY / 2 * 10.0**-decimals + 0.5 / MS_PER_S / 1000
    ms = np.where(rounded, np.rint(seconds) * MS_PER_S, np.rint(seconds * MS_PER_S)).astype(np.int64)
    return np.where(fits, (whole.astype(np.int64) * S_PER_DAY + _EXCEL_EPOCH_S) * NS_PER_S + ms * NS_PER_MS, 0)


def _int64(stamps: Any) -> Integers:
    values: Integers = stamps.cast(arrow().int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return values
