"""The last five-minute close is 0.1 % off the mean of six. The trader wakes when such a candle closes, and gives scores
alone."""

import numpy as np

from tickflag import Market, Trader, hookimpl, sma


@hookimpl
def trader() -> Trader:
    return Trader(name="drift", channel="5m", candles="5m", look_back=6, columns=("trades", "close"), score_step=1e-6)


@hookimpl
def evaluate(market: Market) -> np.ndarray:
    close = market.candles.close
    drift = close[:, -1] / sma(close, 6) - 1.0
    return np.where(np.abs(drift) > 0.001, drift, np.nan)
