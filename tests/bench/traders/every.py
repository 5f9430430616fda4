"""Matches every symbol: as many matches as there are symbols. Its scores stand still, or are the last prices."""

import numpy as np
from pydantic import BaseModel

from tickflag import Market, Trader, hookimpl


class EverySettings(BaseModel):
    moving: bool = False


@hookimpl
def settings() -> type[BaseModel]:
    return EverySettings


@hookimpl
def trader() -> Trader:
    return Trader(name="every")


@hookimpl
def evaluate(market: Market, settings: EverySettings) -> tuple[np.ndarray, np.ndarray]:
    last = market.last
    return last > 0, last if settings.moving else np.ones(len(last))
