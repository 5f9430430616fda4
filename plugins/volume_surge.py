"""Volume surge: the forming candle already traded a multiple of the usual volume."""

import numpy as np
from pydantic import BaseModel, Field

from tickflag import Market, Trader, hookimpl


class SurgeSettings(BaseModel):
    multiple: float = Field(3.0, gt=0.0)
    usual: int = Field(30, ge=1, le=1_000)
    """Candles before the forming one whose mean volume is the usual one."""
    interval: str = "1m"


@hookimpl
def settings() -> type[SurgeSettings]:
    return SurgeSettings


@hookimpl
def trader(settings: SurgeSettings) -> Trader:
    return Trader(
        name="volume-surge",
        description=f"Volume of the forming {settings.interval} candle at least {settings.multiple:g} times the mean "
        f"of the {settings.usual} before. Score: the multiple.",
        candles=settings.interval,
        look_back=settings.usual + 1,
        columns=("volume",),
        forming=True,
        score_step=0.5,
    )


@hookimpl
def evaluate(market: Market, settings: SurgeSettings) -> tuple[np.ndarray, np.ndarray]:
    volume = market.candles.volume
    usual = volume[:, :-1].mean(axis=1)
    multiple = np.divide(volume[:, -1], usual, out=np.full(len(market), np.nan), where=usual > 0)
    return multiple >= settings.multiple, multiple
