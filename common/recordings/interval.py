"""Kline intervals as recordings spell them: a count and a unit, such as 1s, 5m, 1h, 1d or 1w."""

import re

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_INTERVAL = re.compile(r"([1-9][0-9]{0,4})([smhdw])")
_LONGEST_S = 366 * 86_400
# The epoch was a Thursday, and exchanges open their weeks on Monday.
_WEEK_OFFSET_S = 4 * 86_400

NS_PER_S = 1_000_000_000


def interval_seconds(text: str) -> int | None:
    """Give the length in seconds of an interval's name, or None if it is unknown.

    Calendar months (1M) are unknown on purpose: they have no fixed length.
    """
    match = _INTERVAL.fullmatch(text)
    if match is None:
        return None
    seconds = int(match[1]) * _UNITS_S[match[2]]
    return seconds if seconds <= _LONGEST_S else None


def grid_offset_seconds(interval_s: int) -> int:
    """Give the offset of an interval's grid: open times are offset + a multiple of the interval since the epoch."""
    return _WEEK_OFFSET_S if interval_s % _UNITS_S["w"] == 0 else 0
