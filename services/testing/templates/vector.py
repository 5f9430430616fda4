"""my-trader: the price is within one percent of the highest of the last 24 hours."""

import numpy as np

from tickflag import Market, Trader, hookimpl

NEAR = 0.01


@hookimpl
def trader() -> Trader:
    # Score changes up to `score_step` are no signals.
    return Trader(name="my-trader", description="Near the 24 h high. Score: how far below it.", score_step=0.001)


@hookimpl
def evaluate(market: Market) -> tuple[np.ndarray, np.ndarray]:
    # Called with the symbols that changed: every column is an array with an entry for each of them. They come in any
    # number and order, so look at each by itself. What is not known is NaN, and comparing with NaN gives False.
    below = 1.0 - market.last / market.high_24h
    return below <= NEAR, below  # which match, and their scores
