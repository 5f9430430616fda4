"""Breakout: the price is above the highest high of the last 20 closed five-minute candles."""

import numpy as np

from common.traderapi import Market, Trader, hookimpl


@hookimpl
def trader() -> Trader:
    return Trader(
        name="breakout",
        description="Price above the highest high of the last 20 closed 5m candles. Score: how far above.",
        candles="5m",
        look_back=20,
        columns=("high",),
        score_step=0.002,
    )


@hookimpl
def evaluate(market: Market) -> tuple[np.ndarray, np.ndarray]:
    ceiling = market.candles.high.max(axis=1)  # NaN for a symbol with fewer than 20 candles: no match
    above = market.last / ceiling - 1.0
    return above > 0.0, above
