"""Moving-average cross: the fast average of closed candles crossed above the slow one with the newest candle."""

import numpy as np
from pydantic import BaseModel, Field, model_validator

from tickflag import Market, Trader, ema, hookimpl


class CrossSettings(BaseModel):
    fast: int = Field(9, ge=1)
    slow: int = Field(21, ge=2, le=1_000)
    interval: str = "1m"

    @model_validator(mode="after")
    def _in_order(self) -> "CrossSettings":
        if self.fast >= self.slow:
            raise ValueError("`fast` must be below `slow`")
        return self


@hookimpl
def settings() -> type[CrossSettings]:
    return CrossSettings


@hookimpl
def trader(settings: CrossSettings) -> Trader:
    return Trader(
        name="ma-cross",
        description=f"EMA({settings.fast}) crossed above EMA({settings.slow}) at the last closed {settings.interval} "
        "candle. Score: their relative distance.",
        channel=settings.interval,
        candles=settings.interval,
        look_back=max(64, 3 * settings.slow + 1),  # smoothing needs a few periods to forget where it began
        columns=("close",),
        score_step=0.001,
    )


@hookimpl
def evaluate(market: Market, settings: CrossSettings) -> tuple[np.ndarray, np.ndarray]:
    close = market.candles.close
    fast, slow = ema(close, settings.fast), ema(close, settings.slow)
    was_below = ema(close[:, :-1], settings.fast) <= ema(close[:, :-1], settings.slow)
    return was_below & (fast > slow), fast / slow - 1.0
