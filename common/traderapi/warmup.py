"""Warm-up: runs every indicator's kernel on a tiny market, and so compiles it or loads it from the cache."""

import numpy as np

from tickflag.common.traderapi import indicators


def warm_up() -> None:
    """Run each kernel once. `series` and `indicators` share their kernels."""
    rows = np.ones((1, 2))
    for indicator in (
        indicators.sma,
        indicators.ema,
        indicators.rsi,
        indicators.highest,
        indicators.std,
        indicators.zscore,
        indicators.bollinger_width,
        indicators.returns,
    ):
        indicator(rows, 1)
    indicators.atr(rows, rows, rows, 1)
    indicators.vwap(rows, rows, 1)
