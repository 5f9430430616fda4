"""Kernels of the indicators of a window. `values` is (symbol, look-back), oldest first, NaN on the left where a symbol
is young.

`out` is (symbol, columns), filled with NaN by the caller. The kernel writes the last columns of the result: one column
for the latest value, as many as the look-back for the whole series. A result that would be infinite stays NaN.
"""

import math
from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.traderapi.window_kernels import FAINT, SMALLEST, finite, window_mean, window_spread


@kernel
def mean(values: Any, period: int, out: Any) -> None:
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            out[s, at - skipped] = window_mean(values[s], at, period)


@kernel
def deviation(values: Any, period: int, out: Any) -> None:
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            _, spread, _, unit = window_spread(values[s], at, period)
            out[s, at - skipped] = spread * unit


@kernel
def score(values: Any, period: int, out: Any) -> None:
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            above, spread, _, _ = window_spread(values[s], at, period)
            if spread > 0.0:
                out[s, at - skipped] = above / spread


@kernel
def width(values: Any, period: int, deviations: float, out: Any) -> None:
    """So many standard deviations, divided by the mean."""
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period - 1, skipped), length):
            _, spread, centre, unit = window_spread(values[s], at, period)
            found = deviations * spread / (values[s, at - period + 1] / unit + centre)
            if finite(found):
                out[s, at - skipped] = found


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
    """Each value divided by the value `period` columns before it; NaN where floats cannot hold it."""
    length, skipped = values.shape[1], values.shape[1] - out.shape[1]
    for s in range(values.shape[0]):
        for at in range(max(period, skipped), length):
            before = values[s, at - period]
            change = values[s, at] / before
            held = before > 0.0 and SMALLEST <= change < np.inf
            out[s, at - skipped] = change if held else np.nan


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
                found = total / weight
                if not (FAINT < abs(total) < np.inf and finite(found) and weight < np.inf):
                    found = _scaled_weighted_mean(values[s], weights[s], at, period)
                out[s, at - skipped] = found


@kernel
def _scaled_weighted_mean(row: Any, weights: Any, at: int, period: int) -> float:
    """The weighted mean of a window whose products leave the range of floats: with the largest one as the unit."""
    top_product, top_weight = -9_999, -9_999  # powers of two
    for i in range(at - period + 1, at + 1):
        if not (finite(row[i]) and finite(weights[i])):
            return np.nan
        if weights[i] != 0.0:
            power = math.frexp(weights[i])[1]
            top_weight = max(top_weight, power)
            if row[i] != 0.0:
                top_product = max(top_product, math.frexp(row[i])[1] + power)
    total, weight = 0.0, 0.0
    for i in range(at - period + 1, at + 1):
        (value, value_power), (part, part_power) = math.frexp(row[i]), math.frexp(weights[i])
        total += math.ldexp(value * part, value_power + part_power - top_product)
        weight += math.ldexp(part, part_power - top_weight)
    half = math.ldexp(0.5 * total / weight, top_product - top_weight)  # rounding may pass the largest float
    return 2.0 * half if finite(2.0 * half) else np.nan
