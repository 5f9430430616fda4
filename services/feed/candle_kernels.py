"""The candle kernels: trades into forming candles, closed ones into rings, and the rolling 24 h figures."""

from typing import Any

import numpy as np

from common import layout
from common.atomics import store_release
from common.jit import kernel
from common.layout import COUNTER
from services.feed.state import HOUR_OF_SOURCE, HOURS

CANDLES_CLOSED = COUNTER["candles_closed"]
HOUR_NS = 3_600_000_000_000


@kernel
def push(arrays: Any, k: int, slot: int, start_ns: int, candle: Any) -> None:
    """Append a closed candle to the ring."""
    head = arrays.heads[k, slot]
    ring = arrays.rings[k, slot]
    at = head % ring.shape[1]
    ring[layout.TIME, at] = start_ns // 1_000_000_000
    ring[layout.OPEN_PRICE, at] = candle["open"]
    ring[layout.HIGH, at] = candle["high"]
    ring[layout.LOW, at] = candle["low"]
    ring[layout.CLOSE, at] = candle["close"]
    ring[layout.VOLUME, at] = candle["volume"]
    ring[layout.TRADES, at] = candle["trades"]
    store_release(arrays.heads[k], slot, head + 1)
    arrays.living[CANDLES_CLOSED] += 1


@kernel
def close_open(arrays: Any, state: Any, k: int, slot: int) -> None:
    """Close the candle being formed; ticks before its end are late from now on."""
    candle = arrays.opens[slot, k]
    push(arrays, k, slot, candle["start_ns"], candle)
    candle["start_ns"] += state.intervals_ns[k]
    candle["trades"] = 0.0


@kernel
def merge(
    arrays: Any, state: Any, k: int, slot: int, at_ns: int,
    open_: float, high: float, low: float, close: float, volume: float, trades: float,
) -> int:  # fmt: skip
    """Take trades at `at_ns` into the forming candle. Gives 1 where that closed one, -1 where they came too late."""
    candle = arrays.opens[slot, k]
    length = state.intervals_ns[k]
    closed = 0
    if at_ns < candle["start_ns"]:
        return -1
    if candle["trades"] > 0 and at_ns >= candle["start_ns"] + length:
        close_open(arrays, state, k, slot)
        closed = 1
    if candle["trades"] == 0:
        candle["start_ns"] = at_ns - at_ns % length
        candle["open"] = open_
        candle["high"] = high
        candle["low"] = low
        candle["volume"] = 0.0
    else:
        if high > candle["high"]:
            candle["high"] = high
        if low < candle["low"]:
            candle["low"] = low
    candle["close"] = close
    candle["volume"] += volume
    candle["trades"] += trades
    return closed


@kernel
def day(arrays: Any, state: Any, slot: int, at_ns: int, open_: float, high: float, low: float, volume: float) -> None:
    """Keep the rolling 24 h figures, in steps of an hour."""
    memo = state.memos[slot]
    hour = at_ns // HOUR_NS
    if memo["hour"] == hour:
        row = arrays.tickers[slot]
        if high > memo["high"]:
            memo["high"] = high
            if high > row["high_24h"]:
                row["high_24h"] = high
        if low < memo["low"]:
            memo["low"] = low
            if low < row["low_24h"]:
                row["low_24h"] = low
        memo["volume"] += volume
        row["volume_24h"] += volume
    elif memo["hour"] != HOUR_OF_SOURCE and hour > memo["hour"] - HOURS:
        _turn_hour(arrays, state, slot, hour, open_, high, low, volume)


@kernel
def _turn_hour(
    arrays: Any, state: Any, slot: int, hour: int, open_: float, high: float, low: float, volume: float
) -> None:
    """A new hour begins, or a trade of a past one comes late: sort it in, and sum the day up anew."""
    memo = state.memos[slot]
    past = state.hours[slot]
    if hour > memo["hour"]:
        if memo["hour"] > 0:
            kept = past[memo["hour"] % HOURS]
            kept[0], kept[1], kept[2] = memo["hour"], memo["open"], memo["high"]
            kept[3], kept[4] = memo["low"], memo["volume"]
        memo["hour"] = hour
        memo["open"], memo["high"], memo["low"], memo["volume"] = open_, high, low, volume
    else:
        kept = past[hour % HOURS]
        if kept[0] == hour:
            kept[2], kept[3] = max(kept[2], high), min(kept[3], low)
            kept[4] += volume
        else:
            kept[0], kept[1], kept[2], kept[3], kept[4] = hour, open_, high, low, volume
    row = arrays.tickers[slot]
    first = memo["hour"]
    opened, top, bottom, traded = memo["open"], memo["high"], memo["low"], memo["volume"]
    for i in range(HOURS):
        held = past[i]
        if held[0] > memo["hour"] - HOURS and held[0] > 0:
            top, bottom = max(top, held[2]), min(bottom, held[3])
            traded += held[4]
            if held[0] < first:
                first, opened = np.int64(held[0]), held[1]
    row["open_24h"], row["high_24h"], row["low_24h"], row["volume_24h"] = opened, top, bottom, traded
