"""A trader that never matches: what remains is the engine's own cost."""

import numpy as np

from common.traderapi import Market, Trader, hookimpl


@hookimpl
def trader() -> Trader:
    return Trader(name="empty")


@hookimpl
def evaluate(market: Market) -> np.ndarray:
    return np.zeros(len(market), np.bool_)
