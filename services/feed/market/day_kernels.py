"""The kernels of the rolling 24 h figures: the present hour and the 23 before it, from trades and brought candles."""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.units import NS_PER_S, S_PER_HOUR
from tickflag.services.feed.market.state import DAY_HOUR, HOUR_OF_SOURCE, HOURS

HOUR_NS = S_PER_HOUR * NS_PER_S


@kernel
def count_in_day(
    arrays: Any, state: Any, slot: int, at_ns: int, trade_id: int, newest: bool,
    open_: float, high: float, low: float, volume: float,
) -> None:  # fmt: skip
    """Count a trade or candle at `at_ns`; `newest` where no counted trade is newer."""
    memo = state.memos[slot]
    hour = at_ns // HOUR_NS
    inside = hour > state.meta[DAY_HOUR] - HOURS  # of the 24 hours by the clock
    if memo["hour"] == hour and newest and inside:
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
    elif memo["hour"] == 0:  # the symbol's first trade
        _begin_hour(state, slot, hour, at_ns, trade_id, open_, high, low, volume)
        if inside:
            row = arrays.tickers[slot]
            row["open_24h"], row["high_24h"], row["low_24h"], row["volume_24h"] = open_, high, low, volume
    elif memo["hour"] != HOUR_OF_SOURCE and hour > memo["hour"] - HOURS:
        if hour > memo["hour"]:
            _keep_hour(state, slot)
            _begin_hour(state, slot, hour, at_ns, trade_id, open_, high, low, volume)
        elif hour == memo["hour"]:
            memo["high"], memo["low"] = max(memo["high"], high), min(memo["low"], low)
            memo["volume"] += volume
            _open(state.openings[slot], at_ns, trade_id, open_)
        else:
            _count_in_past(state, slot, hour, at_ns, trade_id, open_, high, low, volume)
        _sum_up(arrays, state, slot)


@kernel
def _open(opening: Any, at_ns: int, trade_id: int, price: float) -> None:
    """An hour opens with its earliest trade, whatever its turn."""
    if at_ns < opening["at_ns"] or (at_ns == opening["at_ns"] and trade_id > 0 and trade_id < opening["trade_id"]):
        opening["price"], opening["at_ns"], opening["trade_id"] = price, at_ns, trade_id


@kernel
def _keep_hour(state: Any, slot: int) -> None:
    """Note what the present hour came to."""
    memo, opening = state.memos[slot], state.openings[slot]
    past = state.hours[slot, memo["hour"] % HOURS]
    past["hour"], past["high"], past["low"], past["volume"] = memo["hour"], memo["high"], memo["low"], memo["volume"]
    kept = past["opening"]
    kept["price"], kept["at_ns"], kept["trade_id"] = opening["price"], opening["at_ns"], opening["trade_id"]


@kernel
def _begin_hour(
    state: Any, slot: int, hour: int, at_ns: int, trade_id: int, open_: float, high: float, low: float, volume: float
) -> None:
    memo, opening = state.memos[slot], state.openings[slot]
    memo["hour"], memo["high"], memo["low"], memo["volume"] = hour, high, low, volume
    opening["price"], opening["at_ns"], opening["trade_id"] = open_, at_ns, trade_id


@kernel
def _count_in_past(
    state: Any, slot: int, hour: int, at_ns: int, trade_id: int, open_: float, high: float, low: float, volume: float
) -> None:
    """Add a trade to its past hour."""
    past = state.hours[slot, hour % HOURS]
    if past["hour"] == hour:
        past["high"], past["low"] = max(past["high"], high), min(past["low"], low)
        past["volume"] += volume
        _open(past["opening"], at_ns, trade_id, open_)
    else:
        past["hour"], past["high"], past["low"], past["volume"] = hour, high, low, volume
        kept = past["opening"]
        kept["price"], kept["at_ns"], kept["trade_id"] = open_, at_ns, trade_id


@kernel
def _sum_up(arrays: Any, state: Any, slot: int) -> None:
    """The day's figures out of its hours: the present one, by trades or by the clock, and the 23 before."""
    row = arrays.tickers[slot]
    row["open_24h"], row["high_24h"], row["low_24h"], row["volume_24h"] = _summed(state, slot)


@kernel
def _summed(state: Any, slot: int) -> tuple[float, float, float, float]:
    """Open, high, low and volume; NaN and a volume of 0 where no hour is left."""
    memo = state.memos[slot]
    from_hour = max(np.int64(memo["hour"]), state.meta[DAY_HOUR]) - HOURS
    first, opened, top, bottom, traded = np.int64(0), np.nan, -np.inf, np.inf, 0.0
    if memo["hour"] > from_hour:
        first, opened = np.int64(memo["hour"]), state.openings[slot]["price"]
        top, bottom, traded = memo["high"], memo["low"], memo["volume"]
    for i in range(HOURS):
        past = state.hours[slot, i]
        if past["hour"] > 0 and from_hour < past["hour"] and past["hour"] < memo["hour"]:
            top, bottom = max(top, past["high"]), min(bottom, past["low"])
            traded += past["volume"]
            if first == 0 or past["hour"] < first:
                first, opened = np.int64(past["hour"]), past["opening"]["price"]
    return (opened, top, bottom, traded) if first > 0 else (np.nan, np.nan, np.nan, 0.0)


@kernel
def is_aged(state: Any, slot: int, before_hour: int) -> bool:
    """Whether an hour leaves the symbol's figures as the clock has moved on from `before_hour`."""
    present = state.memos[slot]["hour"]
    if present <= 0:  # no trade yet, or figures of the source
        return False
    was_from = max(np.int64(present), np.int64(before_hour)) - HOURS
    now_from = max(np.int64(present), state.meta[DAY_HOUR]) - HOURS
    if now_from == was_from:
        return False
    if was_from < present and present <= now_from:
        return True
    for i in range(HOURS):
        hour = state.hours[slot, i]["hour"]
        if hour > 0 and was_from < hour and hour <= now_from and hour < present:
            return True
    return False


@kernel
def age(arrays: Any, state: Any, slot: int) -> None:
    """Let the hours leave that are too old by the clock."""
    _sum_up(arrays, state, slot)
    row = arrays.tickers[slot]
    if not row["open_24h"] > 0:
        row["change_24h"] = np.nan
