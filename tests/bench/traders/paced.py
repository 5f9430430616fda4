"""The benchmark's cheap rule at a pace of its own: what it costs follows how often it looks at what changed."""

import numpy as np
from pydantic import BaseModel

from common.traderapi import Market, Trader, hookimpl, sma


class Pace(BaseModel):
    min_interval: float = 0.0
    channel: str = "ticker"


@hookimpl
def settings() -> type[BaseModel]:
    return Pace


@hookimpl
def trader(settings: Pace) -> Trader:
    return Trader(
        name="paced",
        channel=settings.channel,
        min_interval=settings.min_interval,
        candles="1m",
        look_back=20,
        columns=("close",),
    )


@hookimpl
def evaluate(market: Market) -> np.ndarray:
    return np.asarray(market.last > 1.003 * sma(market.candles.close, 20))
