"""Time units: in which unit a Parquet file's column of times is written, told by all of its values."""

from datetime import UTC, datetime
from typing import Literal

import numpy as np

from tickflag.common.arrays import Integers
from tickflag.common.recordings.errors import RecordingError
from tickflag.common.units import NS_PER_MS, NS_PER_S, NS_PER_US
from tickflag.services.feed.recordings.columns import ColumnFile

_NS_PER_UNIT = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}
# The numbers of these years differ in any two units. A time before _LEAST_YEAR may be a later one in another unit.
_YEARS = (1980, 2200)
_LEAST_YEAR = 1971
_BATCH_ROWS = 1 << 18


def _year_ns(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S


class TimeUnit:
    """The unit of a column of times. The column's name promises one; where all times of the file lie in the years 1980
    to 2199 in another one, they are in that one. Timestamps have their own.
    """

    def __init__(self, path: str, file: ColumnFile, column: str, promised: Literal["ns", "ms"]) -> None:
        """Reads the column up to the first time in the promised unit. Raises RecordingError where there is none, but
        times in several others."""
        self._promised = promised
        self._unit = file.stated_units[column] or promised
        if file.stated_units[column]:
            return
        first: dict[str, int] = {}
        for batch in file.batches((column,), _BATCH_ROWS):
            for unit, place in _units_of(batch.integers(column).values).items():
                first.setdefault(unit, batch.row + place)
            if promised in first:
                return  # a row in another unit is a single one at fault
        if len(first) > 1:
            (unit, row), (other, other_row) = sorted(first.items(), key=lambda found: found[1])[:2]
            reason = f"mixes units: row {row} looks like {unit} since 1970, row {other_row} like {other}"
            raise RecordingError(path, reason, column, other_row)
        self._unit = next(iter(first), promised)

    def converted(self, values: Integers) -> Integers:
        """The column's values in the promised unit; 0 where they are no times since 1971 in it."""
        ns, promised_ns = _NS_PER_UNIT[self._unit], _NS_PER_UNIT[self._promised]
        if ns < promised_ns:
            factor = promised_ns // ns
            values = np.where(values % factor == 0, values // factor, 0)
        elif ns > promised_ns:
            factor = ns // promised_ns
            values = np.where(values <= np.iinfo(np.int64).max // factor, values, 0) * factor
        return np.where(values < _year_ns(_LEAST_YEAR) // promised_ns, 0, values)

    def stated(self, time: int) -> int:
        """A time of the promised unit in that of the column, rounded down."""
        return time * _NS_PER_UNIT[self._promised] // _NS_PER_UNIT[self._unit]


def _units_of(values: Integers) -> dict[str, int]:
    """The units in which values are times of our age, each with the place of the first such value."""
    found = {}
    for unit, ns in _NS_PER_UNIT.items():
        least, most = (_year_ns(year) // ns for year in _YEARS)
        hit = (values >= least) & (values < most)
        if hit.any():
            found[unit] = int(np.argmax(hit))
    return found
