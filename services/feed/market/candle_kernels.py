"""The candle kernels: trades and shorter candles into forming candles, closed candles into rings.

A forming candle whose beginning is not known has NaN as its open price; once closed it states its time and close only.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.protocol.rows import publish_head
from tickflag.common.segment import layout
from tickflag.common.segment.layout import COUNTER
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.state import COVERED, IDS, KLINES, MISSED, STATED, STATED_ID

CANDLES_CLOSED = COUNTER["candles_closed"]


@kernel
def push(arrays: Any, k: int, slot: int, start_ns: int, candle: Any) -> None:
    """Append a closed candle to the ring."""
    head = arrays.heads[k, slot]
    ring = arrays.rings[k, slot]
    at = head % ring.shape[1]
    whole = candle["open"] == candle["open"]
    ring[layout.TIME, at] = start_ns // NS_PER_S
    ring[layout.OPEN_PRICE, at] = candle["open"]
    ring[layout.HIGH, at] = candle["high"] if whole else np.nan
    ring[layout.LOW, at] = candle["low"] if whole else np.nan
    ring[layout.CLOSE, at] = candle["close"]
    ring[layout.VOLUME, at] = candle["volume"] if whole else np.nan
    ring[layout.TRADES, at] = candle["trades"] if whole else np.nan
    publish_head(arrays.heads[k], slot, head + 1)
    arrays.living[CANDLES_CLOSED] += 1


@kernel
def close_open(arrays: Any, state: Any, k: int, slot: int) -> None:
    """Close the forming candle; trades before its end are late from now on."""
    candle = arrays.opens[slot, k]
    push(arrays, k, slot, candle["start_ns"], candle)
    candle["start_ns"] += state.intervals_ns[k]
    candle["first_ns"] = 0
    candle["trades"] = 0.0


@kernel
def _begin(arrays: Any, state: Any, k: int, slot: int, at_ns: int, trade_id: int, open_: float) -> None:
    """Begin an empty candle with what came at `at_ns`."""
    candle = arrays.opens[slot, k]
    start_ns = at_ns - (at_ns - state.grid_ns[k]) % state.intervals_ns[k]
    candle["start_ns"] = start_ns
    whole = start_ns == at_ns or start_ns >= state.meta[COVERED]
    if state.meta[KLINES] != 0:
        brought = state.brought[slot, k]
        whole = whole and brought[MISSED] != start_ns
        brought[STATED] = 0
    if state.meta[IDS] != 0:
        state.first_ids[slot, k] = trade_id
    candle["first_ns"] = at_ns
    candle["open"] = open_ if whole else np.nan
    candle["high"], candle["low"] = -np.inf, np.inf
    candle["volume"] = candle["trades"] = 0.0


@kernel
def _add(candle: Any, high: float, low: float, volume: float, trades: float) -> None:
    if high > candle["high"]:
        candle["high"] = high
    if low < candle["low"]:
        candle["low"] = low
    candle["volume"] += volume
    candle["trades"] += trades


@kernel
def merge_trade(
    arrays: Any, state: Any, k: int, slot: int, at_ns: int, trade_id: int, newest: bool, price: float, qty: float
) -> int:
    """Add a trade to the forming candle. Gives 1 where that closed a candle, -1 where the trade was late.

    The earliest trade is the open, the newest the close, whenever they came. The symbol's newest trade is in every
    candle that forms, so a trade that is not `newest` is not the close.
    """
    candle = arrays.opens[slot, k]
    if at_ns < candle["start_ns"]:
        return -1
    closed = 0
    if candle["first_ns"] > 0 and at_ns >= candle["start_ns"] + state.intervals_ns[k]:
        close_open(arrays, state, k, slot)
        closed = 1
    if candle["first_ns"] == 0:
        _begin(arrays, state, k, slot, at_ns, trade_id, price)
        candle["close"] = price
    elif newest:
        candle["close"] = price
    elif at_ns < candle["first_ns"] or (
        at_ns == candle["first_ns"] and trade_id > 0 and trade_id < state.first_ids[slot, k]
    ):
        candle["first_ns"] = at_ns
        state.first_ids[slot, k] = trade_id
        if candle["open"] == candle["open"]:
            candle["open"] = price
    _add(candle, price, price, qty, 1.0)
    return closed


@kernel
def merge_beside(
    arrays: Any, state: Any, k: int, slot: int, at_ns: int, trade_id: int, newest: bool, price: float, qty: float
) -> None:
    """Add a trade to a candle that the source brings, until its next word: the trade may be newer than the last.

    The source closes the candle. A trade of the next one that comes before is missing there, unless the source brings
    that too.
    """
    candle = arrays.opens[slot, k]
    if at_ns < candle["start_ns"]:
        return
    brought = state.brought[slot, k]
    if candle["first_ns"] > 0:
        if at_ns >= candle["start_ns"] + state.intervals_ns[k]:
            brought[MISSED] = at_ns - (at_ns - state.grid_ns[k]) % state.intervals_ns[k]
            return
        if at_ns <= brought[STATED] and not 0 < brought[STATED_ID] < trade_id:
            return
    merge_trade(arrays, state, k, slot, at_ns, trade_id, newest, price, qty)


@kernel
def merge_candle(
    arrays: Any, state: Any, k: int, slot: int, at_ns: int,
    open_: float, high: float, low: float, close: float, volume: float, trades: float, newest: bool,
) -> int:  # fmt: skip
    """Add a shorter candle that begins at `at_ns` to the forming one; `newest` where no trade after it came. Gives 1
    where that closed a candle, -1 where it was late."""
    candle = arrays.opens[slot, k]
    if at_ns < candle["start_ns"]:
        return -1
    closed = 0
    if candle["first_ns"] > 0 and at_ns >= candle["start_ns"] + state.intervals_ns[k]:
        close_open(arrays, state, k, slot)
        closed = 1
    if candle["first_ns"] == 0:
        _begin(arrays, state, k, slot, at_ns, 0, open_)
        candle["close"] = close
    elif at_ns < candle["first_ns"]:
        candle["first_ns"] = at_ns
        state.first_ids[slot, k] = 0
        if candle["open"] == candle["open"]:
            candle["open"] = open_
    if newest:
        candle["close"] = close
    _add(candle, high, low, volume, trades)
    return closed
