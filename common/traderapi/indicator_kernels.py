"""Kernels of the indicators. `values` is (symbol, look-back), oldest first, NaN on the left where a symbol is young.

`out` is (symbol, columns), NaN where it comes in, and takes the last columns of the result: one for the latest value,
as many as the look-back for the whole series.
"""

from typing import Any

import numpy as np

from common.jit import kernel


@kernel
def _first(row: Any) -> int:
    """Where a row's data begins."""
    for i in range(len(row)):
        if row[i] == row[i]:
            return i
    return len(row)


@kernel
def mean(values: Any, period: int, out: Any) -> None:
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            total = 0.0
            for i in range(at - period + 1, at + 1):
                total += values[s, i]
            out[s, at - skipped] = total / period


@kernel
def _spread(row: Any, at: int, period: int) -> tuple[float, float]:
    """(last value less the mean, standard deviation) of a window. From its first value, so that equal ones give 0."""
    first = row[at - period + 1]
    total = 0.0
    for i in range(at - period + 1, at + 1):
        total += row[i] - first
    centre = total / period
    squares = 0.0
    for i in range(at - period + 1, at + 1):
        squares += (row[i] - first - centre) ** 2
    return row[at] - first - centre, np.sqrt(squares / period)


@kernel
def deviation(values: Any, period: int, out: Any) -> None:
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            out[s, at - skipped] = _spread(values[s], at, period)[1]


@kernel
def score(values: Any, period: int, out: Any) -> None:
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            above, spread = _spread(values[s], at, period)
            if spread > 0.0:
                out[s, at - skipped] = above / spread


@kernel
def extreme(values: Any, period: int, sign: float, out: Any) -> None:
    """The highest with the sign 1, the lowest with -1."""
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            best = values[s, at - period + 1]
            for i in range(at - period + 2, at + 1):
                value = values[s, i]
                if value != value or sign * value > sign * best:
                    best = value
            out[s, at - skipped] = best


@kernel
def ratio(values: Any, period: int, out: Any) -> None:
    """Each value over the one `period` before it."""
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period, skipped), length):
            now, before = values[s, at], values[s, at - period]
            if now > 0.0 and before > 0.0:
                out[s, at - skipped] = now / before


@kernel
def weighted_mean(values: Any, weights: Any, period: int, out: Any) -> None:
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            total, weight = 0.0, 0.0
            for i in range(at - period + 1, at + 1):
                total += values[s, i] * weights[s, i]
                weight += weights[s, i]
            if weight > 0.0:
                out[s, at - skipped] = total / weight


@kernel
def smoothed(values: Any, period: int, weight: float, out: Any) -> None:
    """Exponentially, beginning with the mean of the first `period` values."""
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        row = values[s]
        start = _first(row)
        if length - start < period:
            continue
        average = 0.0
        for i in range(start, start + period):
            average += row[i]
        average /= period
        for at in range(start + period - 1, length):
            if at >= start + period:
                average += weight * (row[at] - average)
            if at >= skipped:
                out[s, at - skipped] = average


@kernel
def strength(close: Any, period: int, out: Any) -> None:
    length, skipped = close.shape[1], close.shape[1] - out.shape[1]
    for s in range(close.shape[0]):
        row = close[s]
        start = _first(row)
        if length - start <= period:
            continue
        gain, loss = 0.0, 0.0
        for i in range(start + 1, start + period + 1):
            change = row[i] - row[i - 1]
            gain += max(change, 0.0)
            loss += max(-change, 0.0)
        gain /= period
        loss /= period
        for at in range(start + period, length):
            if at > start + period:
                change = row[at] - row[at - 1]
                gain = (gain * (period - 1) + max(change, 0.0)) / period
                loss = (loss * (period - 1) + max(-change, 0.0)) / period
            if at >= skipped:
                total = gain + loss
                out[s, at - skipped] = 100.0 * gain / total if total > 0.0 else 50.0


@kernel
def _range(high: float, low: float, before: float) -> float:
    """True range of a candle after one that closed at `before`."""
    return max(high, before) - min(low, before)


@kernel
def average_range(high: Any, low: Any, close: Any, period: int, out: Any) -> None:
    length, skipped = close.shape[1], close.shape[1] - out.shape[1]
    for s in range(close.shape[0]):
        start = _first(close[s])
        if length - start <= period:
            continue
        average = 0.0
        for i in range(start + 1, start + period + 1):
            average += _range(high[s, i], low[s, i], close[s, i - 1])
        average /= period
        for at in range(start + period, length):
            if at > start + period:
                average += (_range(high[s, at], low[s, at], close[s, at - 1]) - average) / period
            if at >= skipped:
                out[s, at - skipped] = average
