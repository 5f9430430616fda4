"""Units of time: how many of a small unit make one of a large unit. Times are whole numbers of nanoseconds."""

from typing import Final

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
US_PER_MS: Final = 1_000
US_PER_S: Final = 1_000_000
MS_PER_S: Final = 1_000
S_PER_HOUR: Final = 3_600
S_PER_DAY: Final = 86_400
S_PER_LEAP_YEAR: Final = 366 * S_PER_DAY
S_PER_UNIT: Final = {"s": 1, "m": 60, "h": S_PER_HOUR, "d": S_PER_DAY}
"""The letters of durations, as in `5m`."""

LARGEST_INT64: Final = (1 << 63) - 1
"""The largest whole number that an array or the journal can hold, so the latest time in nanoseconds."""
