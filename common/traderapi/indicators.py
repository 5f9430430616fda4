"""Indicators on candle arrays: the latest value for each symbol. The last axis is time, oldest first.

An array (symbol, look-back) gives one number a symbol, the candles of a single symbol give one number; NaN where a
symbol has too few candles, and where the value depends on a NaN or an infinity. `ema`, `rsi` and `atr` begin anew after
one of these; to `highest` and `lowest` an infinity is a number. For the value one candle earlier pass `values[:, :-1]`;
`series` gives all values at once. A period below 1, and columns of different shapes, raise ValueError.
"""

import numpy as np

from tickflag.common.arrays import Floats
from tickflag.common.traderapi import indicator_kernels as kernels
from tickflag.common.traderapi import smoothing_kernels as smoothing
from tickflag.common.traderapi.indicate import checked, latest


def sma(values: Floats, period: int) -> Floats:
    """Simple moving average: the mean of the last `period` values."""
    return latest(kernels.mean, period, values)


def ema(values: Floats, period: int) -> Floats:
    """Exponential moving average, smoothing 2 / (period + 1), seeded with the mean of the first `period` values.

    As TA-Lib's EMA.
    """
    return latest(smoothing.smoothed, period, values, options=(2.0 / (checked(period) + 1.0),))


def rsi(close: Floats, period: int = 14) -> Floats:
    """Relative strength index, 0 to 100, with its author's smoothing; 50 where the price did not move.

    J. Welles Wilder, "New Concepts in Technical Trading Systems", 1978. Needs `period` + 1 candles.
    """
    return latest(smoothing.strength, period, close)


def atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Average true range, in units of price, with its author's smoothing.

    J. Welles Wilder, "New Concepts in Technical Trading Systems", 1978. Needs `period` + 1 candles: as in TA-Lib's
    ATR, a symbol's first candle has no true range.
    """
    return latest(smoothing.average_range, period, high, low, close)


def highest(values: Floats, period: int) -> Floats:
    """The highest of the last `period` values: with highs and lows of candles the Donchian channel's upper line."""
    return latest(kernels.extreme, period, values, options=(1.0,))


def lowest(values: Floats, period: int) -> Floats:
    """The lowest of the last `period` values."""
    return latest(kernels.extreme, period, values, options=(-1.0,))


def std(values: Floats, period: int) -> Floats:
    """Standard deviation of the last `period` values, with the divisor `period`, as TA-Lib's STDDEV."""
    return latest(kernels.deviation, period, values)


def zscore(values: Floats, period: int) -> Floats:
    """How many standard deviations (`std`) the latest value is above the mean of the last `period`; NaN where
    they are all equal."""
    return latest(kernels.score, period, values)


def bollinger_width(close: Floats, period: int = 20, deviations: float = 2.0) -> Floats:
    """Distance between the upper and the lower Bollinger band, divided by the middle one: 2 * deviations * std / sma.

    BandWidth in John Bollinger, "Bollinger on Bollinger Bands", 2001.
    """
    return latest(kernels.width, period, close, options=(2.0 * deviations,))


def vwap(price: Floats, volume: Floats, period: int) -> Floats:
    """Volume-weighted average of the last `period` prices; NaN where nothing was traded.

    With the typical price of candles, (high + low + close) / 3, it is the usual VWAP over a window.
    """
    return latest(kernels.weighted_mean, period, price, volume)


def returns(values: Floats, period: int = 1) -> Floats:
    """Relative change over `period` candles: 0.01 is one percent up; NaN where one of the two is not positive."""
    return latest(kernels.ratio, period, values) - 1.0


def log_returns(values: Floats, period: int = 1) -> Floats:
    """Natural logarithm of the value over that of `period` candles before; NaN where one of them is not positive."""
    found: Floats = np.log(latest(kernels.ratio, period, values))
    return found
