"""Times: a column of any usual form as UTC nanoseconds."""

import zoneinfo
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from common.errors import TickflagError
from common.recordings.casting import Cast, arrow, cast

Unit = Literal["auto", "ns", "us", "ms", "s", "iso"]
UNITS = get_args(Unit)

_DIGITS = {"ns": 0, "us": 3, "ms": 6, "s": 9}  # digits of the nanoseconds behind a unit's point
_LARGEST_NS = 9.2e18  # the year 2261
_LEAST = {"s": 0.0, "ms": 1e11, "us": 1e14, "ns": 1e17}  # as ms 1e11 is 1973, as seconds it is the year 5138


@dataclass(slots=True)
class Times:
    """Reads one column, batch after batch. The unit of numbers is told by the first one, if it is not given.

    `timezone` is that of texts and timestamps that name none; the hour that comes twice in autumn is the first one.
    """

    unit: Unit = "auto"
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise TickflagError(f"time unit {self.unit!r}: use one of {', '.join(UNITS)}")
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise TickflagError(f"no time zone {self.timezone!r}: use a name as UTC or Europe/Berlin") from None

    def nanoseconds(self, column: Any) -> Cast:
        """UTC ns, 0 where there is none, or where the value is no time."""
        pa = arrow()
        types = pa.types
        if types.is_date(column.type):
            column = column.cast(pa.timestamp("s"))
        if types.is_timestamp(column.type):
            return _stamps(self._in_utc(column))
        if types.is_string(column.type) or types.is_large_string(column.type):
            column = pa.compute.utf8_trim_whitespace(column)
            return self._of_texts(pa.compute.if_else(pa.compute.equal(column, ""), None, column))
        return self._of_numbers(column)

    def _of_texts(self, column: Any) -> Cast:
        pa = arrow()
        known = column.drop_null()
        if self.unit == "auto" and len(known):
            number = cast(known.slice(0, 1), pa.float64())
            self.unit = "iso" if number.failed[0] else _unit(float(number.values[0]))
        if self.unit == "iso":
            return self._of_iso(column)
        found = cast(column, pa.decimal128(38, _DIGITS.get(self.unit, 0)))
        # A decimal is a whole number of 128 bits: here one of nanoseconds. What is beyond 64 bits is no time.
        pairs = np.frombuffer(found.array.buffers()[1], np.int64).reshape(-1, 2)
        low, high = pairs[found.array.offset : found.array.offset + len(column)].T
        far = (high != low >> 63) & ~found.missing
        return Cast(found.array, np.where(found.missing | far, 0, low), found.missing, found.failed | far)

    def _of_iso(self, column: Any) -> Cast:
        """Texts with an offset are what they say; the others are in `timezone`."""
        pa = arrow()
        with_offset = pa.compute.match_substring_regex(column, r"[Tt ].*(Z|z|[+-]\d\d:?(\d\d)?)$")
        zoned = cast(pa.compute.if_else(with_offset, column, None), pa.timestamp("ns", "UTC"))
        plain = cast(pa.compute.if_else(with_offset, None, column), pa.timestamp("ns"))
        utc = self._in_utc(plain.array)
        both = pa.compute.coalesce(zoned.array, utc.array)
        return _stamps(Cast(both, both, zoned.missing & utc.missing, zoned.failed | plain.failed))

    def _of_numbers(self, column: Any) -> Cast:
        pa = arrow()
        found = cast(column, pa.float64())
        known = found.values[np.isfinite(found.values)]
        if self.unit in ("auto", "iso") and len(known):
            self.unit = _unit(float(known[0]))
        factor = 10 ** _DIGITS.get(self.unit, 0)
        failed = ~found.missing & ~(np.abs(found.values) * factor < _LARGEST_NS)
        if pa.types.is_integer(column.type):
            whole = column.fill_null(0).cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False)
            values = np.where(failed, 0, whole) * factor
        else:
            sound = np.where(failed | found.missing, 0.0, found.values)
            fraction, whole = np.modf(sound)  # apart: together they have more digits than a float
            values = whole.astype(np.int64) * factor + np.rint(fraction * factor).astype(np.int64)
        return Cast(column, values, found.missing, failed | found.failed)

    def _in_utc(self, stamps: Any) -> Cast:
        pa = arrow()
        if stamps.type.tz is None:
            stamps = pa.compute.assume_timezone(stamps, self.timezone, ambiguous="earliest", nonexistent="latest")
        return cast(stamps, pa.timestamp("ns", "UTC"))


def _unit(number: float) -> Unit:
    """The unit in which a number is a time of our days."""
    unit: Unit
    for unit in ("ns", "us", "ms"):
        if abs(number) >= _LEAST[unit]:
            return unit
    return "s"


def _stamps(stamps: Cast) -> Cast:
    values = stamps.array.cast(arrow().int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return stamps._replace(values=values)
