"""Kernels of the indicators that depend on all values since a series began. Arguments are as in `indicator_kernels`.

A NaN or an infinity ends a series, and another begins with the value after it, as if there had been none before.
"""

import math
from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.traderapi.window_kernels import finite, window_mean

SMALLEST, LARGEST = 1e-200, 1e300
"""Sizes of values between which the changes of a price need no scaling."""
SPENT = 1e-250
"""Beside any change of a price, averages below this count nothing."""


@kernel
def _series_start(row: Any, start: int) -> int:
    """The first index from `start` on that has a value."""
    for i in range(start, len(row)):
        if finite(row[i]):
            return i
    return len(row)


@kernel
def _series_end(row: Any, start: int) -> int:
    """The first index from `start` on that has no value."""
    for i in range(start, len(row)):
        if not finite(row[i]):
            return i
    return len(row)


@kernel
def smoothed(values: Any, period: int, weight: float, out: Any) -> None:
    """Exponential smoothing, beginning with the mean of the first `period` values."""
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        row = values[s]
        start = _series_start(row, 0)
        if length - start < period:
            continue
        total = 0.0
        for i in range(start, start + period):
            total += row[i]
        average = total / period
        for at in range(start + period - 1, length):
            if at >= start + period:
                average += weight * (row[at] - average)
            if at >= skipped:
                out[s, at - skipped] = average
        # From the first gap or overflow on it stays so. With a period of 1 nothing is remembered, no rounding either.
        if period == 1 or not finite(average):
            _smoothed_parts(row, start, period, weight, out[s], skipped)


@kernel
def _smoothed_parts(row: Any, start: int, period: int, weight: float, out: Any, skipped: int) -> None:
    """As `smoothed`, for a row with gaps, or with values that are too large for their difference."""
    out[:] = np.nan
    while start < len(row):
        end = _series_end(row, start)
        average = window_mean(row, start + period - 1, period) if end - start >= period else 0.0
        for at in range(start + period - 1, end):
            if period == 1:
                average = row[at]
            elif at >= start + period:
                step = row[at] - average
                average = average + weight * step if finite(step) else (1.0 - weight) * average + weight * row[at]
            if at >= skipped:
                out[at - skipped] = average
        start = end + 1


@kernel
def strength(close: Any, period: int, out: Any) -> None:
    length, skipped = close.shape[1], close.shape[1] - out.shape[1]
    for s in range(close.shape[0]):
        row = close[s]
        start = _series_start(row, 0)
        if length - start <= period:
            continue
        if not _strength_of_series(row, start, length, period, 1.0, out[s], skipped):
            _strength_of_parts(row, start, period, out[s], skipped)


@kernel
def _strength_of_parts(row: Any, start: int, period: int, out: Any, skipped: int) -> None:
    """As `strength`, for a row with gaps, or with values that are too large or too small for their changes."""
    out[:] = np.nan
    while start < len(row):
        end = _series_end(row, start)
        unit = _unit(row, start, end)
        if end - start > period and finite(unit):
            _strength_of_series(row, start, end, period, unit, out, skipped)
        start = end + 1


@kernel
def _unit(row: Any, start: int, end: int) -> float:
    """A power of two that brings the values into a range in which no change is lost; NaN where none does."""
    smallest, largest = np.inf, 0.0
    for i in range(start, end):
        size = abs(row[i])
        largest = max(largest, size)
        if size > 0.0:
            smallest = min(smallest, size)
    unit = math.ldexp(1.0, min(-math.frexp(largest)[1], 1_023))
    return unit if smallest * unit > SMALLEST else np.nan


@kernel
def _strength_of_series(row: Any, start: int, end: int, period: int, unit: float, out: Any, skipped: int) -> bool:
    """False where a value is missing, too large or too small: then what was written counts nothing."""
    gain, loss, odd = 0.0, 0.0, not _is_plain(unit * row[start])
    for i in range(start + 1, start + period + 1):
        change = unit * row[i] - unit * row[i - 1]
        gain += max(change, 0.0)
        loss += max(-change, 0.0)
        odd |= not _is_plain(unit * row[i])
    gain /= period
    loss /= period
    for at in range(start + period, end):
        if at > start + period:
            change = unit * row[at] - unit * row[at - 1]
            odd |= not _is_plain(unit * row[at])
            if change != 0.0 or gain + loss > SPENT:  # else both would sink to 0, and their relation would be lost
                gain = (gain * (period - 1) + max(change, 0.0)) / period
                loss = (loss * (period - 1) + max(-change, 0.0)) / period
        if at >= skipped:
            total = gain + loss
            out[at - skipped] = 100.0 * gain / total if total > 0.0 else 50.0
    return not odd


@kernel
def _is_plain(value: float) -> bool:
    return SMALLEST < abs(value) < LARGEST


@kernel
def _range(high: float, low: float, before: float) -> float:
    """True range of a candle after one that closed at `before`; NaN where one of the three is not known."""
    return max(high, before) - min(low, before) + 0.0 * (high + low + before)  # max and min pass over a NaN


@kernel
def _mean_range(high: Any, low: Any, close: Any, at: int, period: int) -> float:
    """The mean of the `period` true ranges up to `at`."""
    total = 0.0
    for i in range(at - period + 1, at + 1):
        total += _range(high[i], low[i], close[i - 1])
    return total / period


@kernel
def average_range(high: Any, low: Any, close: Any, period: int, out: Any) -> None:
    length, skipped = close.shape[1], close.shape[1] - out.shape[1]
    for s in range(close.shape[0]):
        start = _series_start(close[s], 0)
        if length - start <= period:
            continue
        average = _mean_range(high[s], low[s], close[s], start + period, period)
        for at in range(start + period, length):
            if at > start + period:
                average += (_range(high[s, at], low[s, at], close[s, at - 1]) - average) / period
            if at >= skipped:
                out[s, at - skipped] = average
        # From the first gap or overflow on it stays so. With a period of 1 nothing is remembered, no rounding either.
        if period == 1 or not finite(average):
            _average_range_of_parts(high[s], low[s], close[s], start, period, out[s], skipped)


@kernel
def _average_range_of_parts(high: Any, low: Any, close: Any, start: int, period: int, out: Any, skipped: int) -> None:
    """As `average_range`, for rows in which a candle has no true range, or with values too large for their sum."""
    out[:] = np.nan
    known, average, shares = 0, 0.0, 0.0
    for at in range(start + 1, len(close)):
        reach = max(high[at], close[at - 1]) - min(low[at], close[at - 1])
        if not (finite(high[at]) and finite(low[at]) and finite(close[at - 1]) and finite(reach)):
            known, shares = 0, 0.0
            continue
        known += 1
        if period == 1:
            average = reach
        elif known <= period:
            shares += reach / period
            average = _mean_range(high, low, close, at, period) if known == period else 0.0
            average = average if finite(average) else shares
        else:
            average += (reach - average) / period
        if known >= period and at >= skipped:
            out[at - skipped] = average
