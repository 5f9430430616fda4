"""Indicators on candle arrays, the last axis is time, oldest first: the latest value of each.

(symbol, look-back) in, one number a symbol out; from the candles of a single symbol one number. NaN where a symbol
has too few candles. The value a candle earlier is that of `values[:, :-1]`; `series` gives all of them at once.
A period below 1, and columns of different shapes, raise ValueError.
"""

import numpy as np

from common.traderapi import indicator_kernels as kernels
from common.traderapi.indicate import Floats, checked, latest


def sma(values: Floats, period: int) -> Floats:
    """Simple moving average: the mean of the last `period` values."""
    return latest(kernels.mean, period, values)


def ema(values: Floats, period: int) -> Floats:
    """Exponential moving average, smoothing 2 / (period + 1), seeded with the mean of the first `period` values.

    As TA-Lib's EMA.
    """
    return latest(kernels.smoothed, period, values, options=(2.0 / (checked(period) + 1.0),))


def rsi(close: Floats, period: int = 14) -> Floats:
    """Relative strength index, 0 to 100, with its author's smoothing; 50 where the price did not move.

    J. Welles Wilder, "New Concepts in Technical Trading Systems", 1978. Needs `period` + 1 candles.
    """
    return latest(kernels.strength, period, close)


def atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """Average true range, in units of price, with its author's smoothing.

    J. Welles Wilder, "New Concepts in Technical Trading Systems", 1978. Needs `period` + 1 candles: as in TA-Lib's
    ATR, a symbol's first candle has no true range.
    """
    return latest(kernels.average_range, period, high, low, close)


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
    """Distance of the Bollinger bands over the middle one: 2 * deviations * std / sma.

    BandWidth in John Bollinger, "Bollinger on Bollinger Bands", 2001.
    """
    return 2.0 * deviations * std(close, period) / sma(close, period)


def vwap(price: Floats, volume: Floats, period: int) -> Floats:
    """Volume-weighted average of the last `period` prices; NaN where nothing was traded.

    With the typical price of candles, (high + low + close) / 3, the usual VWAP over a window.
    """
    return latest(kernels.weighted_mean, period, price, volume)


def returns(values: Floats, period: int = 1) -> Floats:
    """Relative change over `period` candles: 0.01 is one percent up; NaN where a value is not positive."""
    return latest(kernels.ratio, period, values) - 1.0


def log_returns(values: Floats, period: int = 1) -> Floats:
    """Natural logarithm of a value over the one `period` candles before; NaN where one is not positive."""
    return np.log(latest(kernels.ratio, period, values))
