"""RSI: the relative strength index of one-minute closes is oversold or overbought."""

import numpy as np
from pydantic import BaseModel, Field

from tickflag import Market, Trader, hookimpl, rsi


class RsiSettings(BaseModel):
    period: int = Field(14, ge=2, le=1_000)
    oversold: float = Field(30.0, ge=0.0, le=100.0)
    overbought: float = Field(70.0, ge=0.0, le=100.0)
    interval: str = "1m"


@hookimpl
def settings() -> type[RsiSettings]:
    return RsiSettings


@hookimpl
def trader(settings: RsiSettings) -> Trader:
    return Trader(
        name="rsi",
        description=f"RSI({settings.period}) of {settings.interval} closes, the forming candle included, "
        f"below {settings.oversold:g} or above {settings.overbought:g}. Score: the RSI.",
        candles=settings.interval,
        look_back=max(100, 3 * settings.period),  # smoothing needs a few periods to forget where it began
        columns=("close",),
        forming=True,
        score_step=1.0,
    )


@hookimpl
def evaluate(market: Market, settings: RsiSettings) -> tuple[np.ndarray, np.ndarray]:
    strength = rsi(market.candles.close, settings.period)
    return (strength < settings.oversold) | (strength > settings.overbought), strength
