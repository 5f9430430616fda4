"""Top movers: the ten symbols that gained most in 24 hours. Ranks the whole market, so its scope is `market`."""

import numpy as np

from tickflag import Market, Trader, hookimpl

PLACES = 10


@hookimpl
def trader() -> Trader:
    return Trader(
        name="top-movers",
        description="The ten symbols with the largest 24 h gain. Score: the gain.",
        scope="market",
        score_step=0.005,
    )


@hookimpl
def evaluate(market: Market) -> np.ndarray:
    gain = market.change_24h
    scores = np.full(len(market), np.nan)
    rising = np.flatnonzero((gain > 0.0) & market.trading)  # a delisted symbol takes no place
    # Ties go to the symbol that has been in the market longer, so that the ranking is the same every time.
    best = rising[np.argsort(-gain[rising], kind="stable")[:PLACES]]
    scores[best] = gain[best]
    return scores
