"""Warm-up: every indicator's kernel, compiled or loaded from the cache by running it on a tiny market."""

import numpy as np

from common.traderapi import indicators


def warm_up() -> None:
    """Run each once. `series` and `indicators` share their kernels."""
    rows = np.ones((1, 2))
    for indicator in (
        indicators.sma,
        indicators.ema,
        indicators.rsi,
        indicators.highest,
        indicators.std,
        indicators.zscore,
        indicators.returns,
    ):
        indicator(rows, 1)
    indicators.atr(rows, rows, rows, 1)
    indicators.vwap(rows, rows, 1)
