"""Indicators on candle arrays: (symbol, look-back) in, one number a symbol out. NaN where there is too little data."""

from typing import Any

import numpy as np
import numpy.typing as npt

from common.jit import kernel

Floats = npt.NDArray[np.float64]


def sma(values: Floats, period: int) -> Floats:
    """Simple moving average of the last `period` values."""
    return np.asarray(values[:, -period:].mean(axis=1) if values.shape[1] >= period else np.full(len(values), np.nan))


def ema(values: Floats, period: int) -> Floats:
    """Exponential moving average, smoothing 2 / (period + 1), seeded with the mean of the first `period` values."""
    out = np.full(len(values), np.nan)
    _ema(np.ascontiguousarray(values), period, out)
    return out


def rsi(close: Floats, period: int = 14) -> Floats:
    """Relative strength index, 0 to 100, with the smoothing of Wilder, "New Concepts in Technical Trading Systems"."""
    out = np.full(len(close), np.nan)
    _rsi(np.ascontiguousarray(close), period, out)
    return out


@kernel
def _first(row: Any) -> int:
    """Where a row's data begins."""
    for i in range(len(row)):
        if row[i] == row[i]:
            return i
    return len(row)


@kernel
def _ema(values: Any, period: int, out: Any) -> None:
    weight = 2.0 / (period + 1.0)
    for s in range(values.shape[0]):
        row = values[s]
        start = _first(row)
        if len(row) - start < period:
            continue
        average = 0.0
        for i in range(start, start + period):
            average += row[i]
        average /= period
        for i in range(start + period, len(row)):
            average += weight * (row[i] - average)
        out[s] = average


@kernel
def _rsi(close: Any, period: int, out: Any) -> None:
    for s in range(close.shape[0]):
        row = close[s]
        start = _first(row)
        if len(row) - start <= period:
            continue
        gain, loss = 0.0, 0.0
        for i in range(start + 1, start + period + 1):
            change = row[i] - row[i - 1]
            gain += max(change, 0.0)
            loss += max(-change, 0.0)
        gain /= period
        loss /= period
        for i in range(start + period + 1, len(row)):
            change = row[i] - row[i - 1]
            gain = (gain * (period - 1) + max(change, 0.0)) / period
            loss = (loss * (period - 1) + max(-change, 0.0)) / period
        total = gain + loss
        out[s] = 100.0 * gain / total if total > 0.0 else 50.0
