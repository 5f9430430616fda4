"""RSI: the 14-period relative strength index of one-minute closes is oversold or overbought."""

import numpy as np

from common.traderapi import Market, Trader, hookimpl, rsi

OVERSOLD, OVERBOUGHT = 30.0, 70.0


@hookimpl
def trader() -> Trader:
    return Trader(
        name="rsi",
        description="RSI(14) of 1m closes, the forming candle included, below 30 or above 70. Score: the RSI.",
        candles="1m",
        look_back=100,
        columns=("close",),
        forming=True,
        score_step=1.0,
    )


@hookimpl
def evaluate(market: Market) -> tuple[np.ndarray, np.ndarray]:
    strength = rsi(market.candles.close, 14)
    return (strength < OVERSOLD) | (strength > OVERBOUGHT), strength
