"""The symbols with four times the usual volume in their last three one-minute candles. Needs the whole market."""

import numpy as np

from tickflag import Market, Trader, hookimpl


@hookimpl
def trader() -> Trader:
    return Trader(
        name="busiest",
        exclude=["?I*", "T?5*"],
        candles="1m",
        look_back=3,
        columns=("time", "volume"),
        forming=True,
        scope="market",
        score_step=0.02,
    )


@hookimpl
def evaluate(market: Market) -> tuple[np.ndarray, np.ndarray]:
    total = np.where(np.isnan(market.candles.time), 0.0, market.candles.volume).sum(axis=1)
    traded = total[market.candles.count > 0]
    if not len(traded):
        return np.zeros(len(market), np.bool_), total
    return total > 4.0 * np.median(traded), total / max(traded.sum(), 1e-9)
