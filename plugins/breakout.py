"""Breakout: the price is above the highest high of the last closed candles, 20 of five minutes unless set."""

import numpy as np
from pydantic import BaseModel, Field

from tickflag import Market, Trader, hookimpl


class BreakoutSettings(BaseModel):
    candles: int = Field(20, ge=1, le=1_000)
    interval: str = "5m"


@hookimpl
def settings() -> type[BreakoutSettings]:
    return BreakoutSettings


@hookimpl
def trader(settings: BreakoutSettings) -> Trader:
    return Trader(
        name="breakout",
        description=f"Price above the highest high of the last {settings.candles} closed {settings.interval} candles. "
        "Score: how far above.",
        candles=settings.interval,
        look_back=settings.candles,
        columns=("high",),
        score_step=0.002,
    )


@hookimpl
def evaluate(market: Market) -> tuple[np.ndarray, np.ndarray]:
    ceiling = market.candles.high.max(axis=1)  # NaN for a symbol with too few candles: no match
    above = market.last / ceiling - 1.0
    return above > 0.0, above
