"""Inner kernels: mean and spread of a window, right for values of any size. A window with NaN or infinity gives NaN.

Sums and squares of very large or small values leave the range of floats. So each kernel computes the plain way first,
and again, scaled, where the plain result may have left the range.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel

FAINT = 1e-280
"""Sums of products below this may have lost products to underflow."""
SMALLEST = 2.0**-1022
"""Floats below this have fewer digits."""


@kernel
def finite(value: float) -> bool:
    return abs(value) < np.inf


@kernel
def window_mean(row: Any, at: int, period: int) -> float:
    """The mean of the `period` values up to `at`."""
    total = 0.0
    for i in range(at - period + 1, at + 1):
        total += row[i]
    if finite(total):
        return total / period
    total = 0.0
    for i in range(at - period + 1, at + 1):
        if not finite(row[i]):
            return np.nan
        total += row[i] / period
    return total if finite(total) else np.nan


@kernel
def window_spread(row: Any, at: int, period: int) -> tuple[float, float, float, float]:
    """(last value less the mean, standard deviation, mean less the first value, unit) of a window. The first three are
    in units of the fourth. They are taken relative to the window's first value, so that equal values give exactly 0."""
    start, first = at - period + 1, row[at - period + 1]
    total = 0.0
    for i in range(start, at + 1):
        total += row[i] - first
    centre = total / period
    squares = 0.0
    for i in range(start, at + 1):
        squares += (row[i] - first - centre) ** 2
    if FAINT < squares < np.inf:
        return row[at] - first - centre, np.sqrt(squares / period), centre, 1.0
    return _scaled_spread(row, at, period)


@kernel
def _scaled_spread(row: Any, at: int, period: int) -> tuple[float, float, float, float]:
    """As `window_spread`, with the largest distance from the first value as the unit."""
    start, first = at - period + 1, row[at - period + 1]
    reach, half = 0.0, 1.0
    for i in range(start, at + 1):
        if not finite(row[i]):
            return np.nan, np.nan, np.nan, np.nan
        reach = max(reach, abs(row[i] - first))
    if reach == 0.0:
        return 0.0, 0.0, 0.0, 1.0
    if not finite(reach):
        reach, half = 0.0, 0.5
        for i in range(start, at + 1):
            reach = max(reach, abs(half * row[i] - half * first))
    total = 0.0
    for i in range(start, at + 1):
        total += (half * row[i] - half * first) / reach
    centre = total / period
    squares = 0.0
    for i in range(start, at + 1):
        squares += ((half * row[i] - half * first) / reach - centre) ** 2
    above = (half * row[at] - half * first) / reach - centre
    return above / half, np.sqrt(squares / period) / half, centre / half, reach
