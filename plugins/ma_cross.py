"""Moving-average cross: the fast average of closed candles crossed above the slow one with the newest candle."""

import numpy as np

from common.traderapi import Market, Trader, ema, hookimpl

FAST, SLOW = 9, 21


@hookimpl
def trader() -> Trader:
    return Trader(
        name="ma-cross",
        description="EMA(9) crossed above EMA(21) at the last closed 1m candle. Score: their relative distance.",
        channel="1m",
        candles="1m",
        look_back=64,
        columns=("close",),
        score_step=0.001,
    )


@hookimpl
def evaluate(market: Market) -> tuple[np.ndarray, np.ndarray]:
    close = market.candles.close
    fast, slow = ema(close, FAST), ema(close, SLOW)
    was_below = ema(close[:, :-1], FAST) <= ema(close[:, :-1], SLOW)
    return was_below & (fast > slow), fast / slow - 1.0
