"""my-trader: the three symbols that gained most in 24 hours."""

import numpy as np

from tickflag import Market, Trader, hookimpl

PLACES = 3


@hookimpl
def trader() -> Trader:
    # A ranking depends on all symbols: with this scope every call gets the whole market.
    return Trader(name="my-trader", description="Top three by 24 h gain. Score: the gain.", scope="market")


@hookimpl
def evaluate(market: Market) -> np.ndarray:
    # NaN is both: no match in the answer, and not known in the columns.
    gain = market.change_24h
    scores = np.full(len(market), np.nan)
    rising = np.flatnonzero((gain > 0.0) & market.trading)
    best = rising[np.argsort(-gain[rising], kind="stable")[:PLACES]]  # stable: ties are the same every time
    scores[best] = gain[best]
    return scores
