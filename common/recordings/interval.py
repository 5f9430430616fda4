"""Candle intervals as recordings spell them: a count and a unit, such as 1s, 5m, 1h, 1d or 1w."""

import re

from tickflag.common.units import NS_PER_S, S_PER_DAY, S_PER_LEAP_YEAR, S_PER_UNIT

_UNITS_S = {**S_PER_UNIT, "w": 7 * S_PER_DAY}
_INTERVAL = re.compile(r"([1-9][0-9]{0,4})([smhdw])")
LONGEST_INTERVAL_S = S_PER_LEAP_YEAR
# The epoch was a Thursday, and exchanges open their weeks on Monday.
_WEEK_OFFSET_S = 4 * S_PER_DAY


def recorded_interval_s(text: str) -> int | None:
    """Give the length in seconds of an interval's name, or None if it is unknown.

    Calendar months (1M) are unknown on purpose: they have no fixed length.
    """
    match = _INTERVAL.fullmatch(text)
    if match is None:
        return None
    seconds = int(match[1]) * _UNITS_S[match[2]]
    return seconds if seconds <= LONGEST_INTERVAL_S else None


def grid_offset_seconds(interval_s: int) -> int:
    """The offset (s) of an interval's grid: open times are the offset + a multiple of the interval since the epoch."""
    return _WEEK_OFFSET_S if interval_s % _UNITS_S["w"] == 0 else 0


def candle_start_ns(at_ns: int, interval_s: int) -> int:
    """Where the candle of the interval begins that contains the time `at_ns` (UTC)."""
    return at_ns - (at_ns - grid_offset_seconds(interval_s) * NS_PER_S) % (interval_s * NS_PER_S)
