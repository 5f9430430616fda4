"""The tick kernel: a tick into row, candles and flags, in the order that the update protocol asks for.

One thread of the feed calls it. `arrays` is the segment's `Arrays`, `state` the feed's own `FeedState`. An update of
a symbol locks the row (`begin_row`), writes row and candles, unlocks the row (`end_row`), then flags the symbol in
every channel concerned.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.protocol.rows import begin_row
from tickflag.common.protocol.status import count_status_change
from tickflag.common.segment import layout
from tickflag.common.segment.layout import COUNTER
from tickflag.common.segment.prefetch import prefetch
from tickflag.services.feed.market.base_kernels import count_beside
from tickflag.services.feed.market.candle_kernels import merge_beside, merge_trade
from tickflag.services.feed.market.day_kernels import count_in_day
from tickflag.services.feed.market.deal_kernels import is_known, remember
from tickflag.services.feed.market.row_kernels import (
    finish,
    first_row,
    leave_out,
    leave_out_stray,
    log_debug,
    say_price,
)
from tickflag.services.feed.market.state import (
    AHEAD,
    BEHIND,
    DOUBLE,
    HOUR_OF_SOURCE,
    IDS,
    IMPOSSIBLE,
    KLINES,
    LATE,
    OWNED,
)

UPDATES = COUNTER["updates"]
REJECTED = COUNTER["rejected_updates"]
REFUSED = COUNTER["refused_updates"]
BACKWARDS = COUNTER["times_backwards"]

FETCHED = 8  # ticks to prefetch ahead: while they are applied, a line comes from memory


@kernel
def _bad(value: float) -> bool:
    """True for a stated value that is no price: zero, negative or infinite."""
    return value <= 0.0 or value == np.inf


@kernel
def _bad_size(value: float) -> bool:
    """True for a stated value that is no size: negative or infinite."""
    return value < 0.0 or value == np.inf


@kernel
def _expect(arrays: Any, state: Any, slot: int) -> None:
    """Begin to load what a tick of the symbol will touch: the symbols of a market do not fit into the cache."""
    if slot >= 0:
        prefetch(arrays.versions, slot)
        prefetch(state.memos, slot)
        prefetch(arrays.ticker_words[slot], 0)
        prefetch(arrays.ticker_words[slot], 8)
        for k in range(len(state.intervals_ns)):
            prefetch(arrays.opens[slot], k)
            if state.meta[KLINES] != 0:
                prefetch(state.brought[slot, k], 0)


@kernel
def _trade(
    arrays: Any, state: Any, slot: int, at_ns: int, trade_id: int, newest: bool, price: float, qty: float
) -> int:
    """Count a trade in volume, 24 h figures and candles; gives the intervals of which one closed."""
    memo = state.memos[slot]
    if newest:
        memo["traded_ns"], memo["trade_id"] = at_ns, trade_id
    klines = state.meta[KLINES] != 0
    if klines and not count_beside(state, slot, at_ns, qty):
        return 0  # it is in a candle that counted
    arrays.tickers[slot]["volume"] += qty
    count_in_day(arrays, state, slot, at_ns, trade_id, newest, price, price, price, qty)
    closed, late = 0, False
    for k in range(len(state.intervals_ns)):
        if klines and at_ns < state.brought[slot, k, OWNED]:
            merge_beside(arrays, state, k, slot, at_ns, trade_id, newest, price, qty)
            continue
        result = merge_trade(arrays, state, k, slot, at_ns, trade_id, newest, price, qty)
        if result > 0:
            closed |= 1 << k
        elif result < 0:
            late = True
    if late:
        leave_out(arrays, state, slot, LATE)
    return closed


@kernel
def apply_ticks(arrays: Any, state: Any, ticks: Any, now_ns: int, limit_ns: int) -> None:
    """Apply ticks in their order. `now_ns` is monotonic; `limit_ns` the rate limit per symbol, 0 for none."""
    for i in range(len(ticks)):
        if i + FETCHED < len(ticks):
            _expect(arrays, state, ticks[i + FETCHED]["slot"])
        tick = ticks[i]
        slot = tick["slot"]
        if slot < 0:
            arrays.living[REFUSED] += 1
            continue
        price, qty, bid, ask = tick["price"], tick["qty"], tick["bid"], tick["ask"]
        bid_size, ask_size = tick["bid_size"], tick["ask_size"]
        at_ns, recv_ns, trade_id = tick["event_ns"], tick["recv_ns"], tick["trade_id"]
        if (
            _bad(price) or _bad(bid) or _bad(ask)
            or _bad_size(qty) or _bad_size(bid_size) or _bad_size(ask_size) or at_ns <= 0
        ):  # fmt: skip
            arrays.living[REJECTED] += 1
            continue
        if recv_ns > 0 and (at_ns - recv_ns > state.meta[AHEAD] or recv_ns - at_ns > state.meta[BEHIND]):
            leave_out_stray(arrays, state, slot, IMPOSSIBLE, at_ns, recv_ns)
            continue
        memo = state.memos[slot]
        traded = price == price and qty == qty  # a price without a size is only the latest price
        newest = True
        if traded:
            newest = at_ns > memo["traded_ns"] or (
                at_ns == memo["traded_ns"] and (trade_id == 0 or trade_id >= memo["trade_id"])
            )
            if trade_id != 0:
                if at_ns <= memo["traded_ns"] and is_known(state.deals, slot, trade_id, at_ns):
                    leave_out(arrays, state, slot, DOUBLE)
                    continue
                state.meta[IDS] = 1
                remember(state.deals, slot, trade_id, at_ns)
        row = arrays.tickers[slot]
        version = begin_row(arrays.versions, slot)
        if version == 2:
            first_row(arrays, slot)
        if at_ns < row["event_ns"]:
            arrays.living[BACKWARDS] += 1
        else:
            row["event_ns"] = at_ns
        row["recv_ns"] = recv_ns
        moved = row["status"] != tick["status"]
        row["status"] = tick["status"]
        if bid == bid:  # stated
            row["bid"] = bid
        if ask == ask:
            row["ask"] = ask
        if bid_size == bid_size:
            row["bid_size"] = bid_size
        if ask_size == ask_size:
            row["ask_size"] = ask_size
        if tick["open_24h"] == tick["open_24h"]:
            memo["hour"] = HOUR_OF_SOURCE
            row["open_24h"] = tick["open_24h"]
            row["high_24h"] = tick["high_24h"]
            row["low_24h"] = tick["low_24h"]
            row["volume_24h"] = tick["volume_24h"]
        closed = 0
        if price == price:
            if not traded:
                say_price(arrays, state, slot, at_ns, trade_id, price)
            else:
                if newest:
                    if at_ns >= row["last_ns"] or 0 < state.said_ids[slot] < trade_id:
                        row["last"] = price
                        row["last_ns"] = at_ns
                    row["last_size"] = qty
                closed = _trade(arrays, state, slot, at_ns, trade_id, newest, price, qty)
        arrays.living[UPDATES] += 1
        log_debug(arrays, slot, layout.DEBUG_TICK, now_ns)
        finish(arrays, state, slot, version, closed, now_ns, limit_ns)
        if moved:
            count_status_change(arrays.living)
