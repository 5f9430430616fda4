"""A trader that never matches: the cost that is left is the engine's own."""

import numpy as np

from tickflag import Market, Trader, hookimpl


@hookimpl
def trader() -> Trader:
    return Trader(name="empty")


@hookimpl
def evaluate(market: Market) -> np.ndarray:
    return np.zeros(len(market), np.bool_)
