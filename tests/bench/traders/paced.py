"""The benchmark's cheap rule at a pace of its own: its cost depends on how often it is asked."""

import numpy as np
from pydantic import BaseModel

from tickflag import Market, Trader, hookimpl, sma


class PaceSettings(BaseModel):
    min_interval: float = 0.0
    channel: str = "ticker"


@hookimpl
def settings() -> type[BaseModel]:
    return PaceSettings


@hookimpl
def trader(settings: PaceSettings) -> Trader:
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
