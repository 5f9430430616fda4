"""my-trader: the last close is a share below the average of the closes before."""

import numpy as np
from pydantic import BaseModel, Field

from tickflag import Market, Trader, hookimpl, sma


class Settings(BaseModel):
    """What may be set in traders.toml without editing this file."""

    period: int = Field(20, ge=2)
    depth: float = Field(0.01, gt=0.0, lt=1.0)
    interval: str = "5m"


@hookimpl
def settings() -> type[Settings]:
    return Settings


@hookimpl
def trader(settings: Settings) -> Trader:
    return Trader(
        name="my-trader",
        description=f"The last close is {settings.depth:g} below the mean of {settings.period}. Score: how far.",
        channel=settings.interval,  # wake when such a candle closed; without it, at every change
        candles=settings.interval,
        look_back=settings.period,
        columns=("close",),  # only what is looked at: each is copied
    )


@hookimpl
def evaluate(market: Market, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    # Candles are arrays (symbol, look-back), oldest first, NaN on the left where a symbol is young. Of a candle that
    # began before the data only time and close are known.
    close = market.candles.close
    below = 1.0 - close[:, -1] / sma(close, settings.period)
    return below >= settings.depth, below
