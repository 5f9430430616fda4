"""Whole series of the indicators: the functions of `indicators`, with a value for every candle in place of the latest.

The result has the shape of the input, with NaN where there are too few candles yet. The function of the same name in
`indicators` says what a value means, where its definition comes from and what is raised.
"""

import numpy as np

from tickflag.common.arrays import Floats
from tickflag.common.traderapi import indicator_kernels as kernels
from tickflag.common.traderapi import smoothing_kernels as smoothing
from tickflag.common.traderapi.indicate import checked, whole


def sma(values: Floats, period: int) -> Floats:
    return whole(kernels.mean, period, values)


def ema(values: Floats, period: int) -> Floats:
    return whole(smoothing.smoothed, period, values, options=(2.0 / (checked(period) + 1.0),))


def rsi(close: Floats, period: int = 14) -> Floats:
    return whole(smoothing.strength, period, close)


def atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    return whole(smoothing.average_range, period, high, low, close)


def highest(values: Floats, period: int) -> Floats:
    return whole(kernels.extreme, period, values, options=(1.0,))


def lowest(values: Floats, period: int) -> Floats:
    return whole(kernels.extreme, period, values, options=(-1.0,))


def std(values: Floats, period: int) -> Floats:
    return whole(kernels.deviation, period, values)


def zscore(values: Floats, period: int) -> Floats:
    return whole(kernels.score, period, values)


def bollinger_width(close: Floats, period: int = 20, deviations: float = 2.0) -> Floats:
    return whole(kernels.width, period, close, options=(2.0 * deviations,))


def vwap(price: Floats, volume: Floats, period: int) -> Floats:
    return whole(kernels.weighted_mean, period, price, volume)


def returns(values: Floats, period: int = 1) -> Floats:
    return whole(kernels.ratio, period, values) - 1.0


def log_returns(values: Floats, period: int = 1) -> Floats:
    return np.log(whole(kernels.ratio, period, values))
