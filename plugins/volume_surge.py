"""Volume surge: the forming one-minute candle already traded a multiple of the usual volume."""

import numpy as np

from common.traderapi import Market, Trader, hookimpl

MULTIPLE = 3.0


@hookimpl
def trader() -> Trader:
    return Trader(
        name="volume-surge",
        description="Volume of the forming 1m candle at least 3 times the mean of the 30 before. Score: the multiple.",
        candles="1m",
        look_back=31,
        columns=("volume",),
        forming=True,
        score_step=0.5,
    )


@hookimpl
def evaluate(market: Market) -> tuple[np.ndarray, np.ndarray]:
    volume = market.candles.volume
    usual = volume[:, :-1].mean(axis=1)
    multiple = np.divide(volume[:, -1], usual, out=np.full(len(market), np.nan), where=usual > 0)
    return multiple >= MULTIPLE, multiple
