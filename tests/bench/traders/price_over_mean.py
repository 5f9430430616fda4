"""The benchmark's cheap rule: the price is above the mean of the last 20 closes."""

import numpy as np

from tickflag import Market, Trader, hookimpl, sma


@hookimpl
def trader() -> Trader:
    return Trader(name="price-over-mean", candles="1m", look_back=20, columns=("close",))


@hookimpl
def evaluate(market: Market) -> np.ndarray:
    return np.asarray(market.last > 1.003 * sma(market.candles.close, 20))
