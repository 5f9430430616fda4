"""The writer's kernels: a tick or kline into row, candles and flags, in the order the update protocol asks for.

One thread of the feed calls them. `arrays` is the segment's `Arrays`, `state` the feed's own `FeedState`. An update of
a symbol: version odd, fence, row and candles, version even (release), then its bit in every channel concerned.
"""

from typing import Any

import numpy as np

from common import layout
from common.atomics import fence_release, store_relaxed, store_release
from common.jit import kernel
from common.layout import COUNTER
from common.prefetch import prefetch
from services.feed.announce_kernels import announce, flag
from services.feed.candle_kernels import close_open, day, merge, push
from services.feed.state import HOUR_OF_SOURCE

UPDATES = COUNTER["updates"]
LATE = COUNTER["late_ticks"]
REJECTED = COUNTER["rejected_updates"]
REFUSED = COUNTER["refused_updates"]
BACKWARDS = COUNTER["times_backwards"]
STATUS_CHANGES = COUNTER["status_changes"]

AHEAD = 8  # ticks; by then a line has come from memory


@kernel
def _begin(arrays: Any, slot: int) -> int:
    version = arrays.versions[slot]
    store_relaxed(arrays.versions, slot, version + 1)
    fence_release()  # odd before the first byte of the row changes; pairs with the fence in the readers' copy
    return int(version + 2)


@kernel
def _finish(arrays: Any, state: Any, slot: int, version: int, closed: int, now_ns: int, limit_ns: int) -> None:
    """Unlock the row, then flag: `closed` has a bit for each interval of which a candle closed."""
    row = arrays.tickers[slot]
    if row["open_24h"] > 0:
        row["change_24h"] = row["last"] / row["open_24h"] - 1.0
    # NoTornRead: who reads an even version, and the same one after the copy, read no byte of another.
    store_release(arrays.versions, slot, version)
    for k in range(len(state.intervals_ns)):
        if closed >> k & 1:
            flag(arrays, state, 1 + k, slot, now_ns)
    announce(arrays, state, slot, now_ns, limit_ns)


@kernel
def _first_row(arrays: Any, slot: int) -> None:
    """A row that knows nothing yet."""
    row = arrays.tickers[slot]
    row["last"] = row["bid"] = row["ask"] = row["last_size"] = row["bid_size"] = row["ask_size"] = np.nan
    row["open_24h"] = row["high_24h"] = row["low_24h"] = row["change_24h"] = np.nan
    row["volume"] = row["volume_24h"] = 0.0


@kernel
def _note(arrays: Any, slot: int, kind: int, now_ns: int) -> None:
    if arrays.living[layout.DEBUG_ON] != 0:
        entry = arrays.debug[arrays.living[layout.DEBUG_HEAD] % layout.DEBUG_RING]
        entry["time_ns"] = now_ns
        entry["slot"] = slot
        entry["kind"] = kind
        arrays.living[layout.DEBUG_HEAD] += 1


@kernel
def _bad(value: float) -> bool:
    """Said, but no price: zero, negative or infinite."""
    return value <= 0.0 or value == np.inf


@kernel
def _bad_size(value: float) -> bool:
    """Said, but no size: negative or infinite."""
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


@kernel
def apply_ticks(arrays: Any, state: Any, ticks: Any, now_ns: int, limit_ns: int) -> None:
    """Apply ticks in their order. `now_ns` is monotonic; `limit_ns` the rate limit per symbol, 0 for none."""
    for i in range(len(ticks)):
        if i + AHEAD < len(ticks):
            _expect(arrays, state, ticks[i + AHEAD]["slot"])
        tick = ticks[i]
        slot = tick["slot"]
        if slot < 0:
            arrays.living[REFUSED] += 1
            continue
        price, qty, bid, ask = tick["price"], tick["qty"], tick["bid"], tick["ask"]
        bid_size, ask_size = tick["bid_size"], tick["ask_size"]
        if (
            _bad(price) or _bad(bid) or _bad(ask)
            or _bad_size(qty) or _bad_size(bid_size) or _bad_size(ask_size) or tick["event_ns"] <= 0
        ):  # fmt: skip
            arrays.living[REJECTED] += 1
            continue
        row = arrays.tickers[slot]
        version = _begin(arrays, slot)
        if version == 2:
            _first_row(arrays, slot)
        at_ns = tick["event_ns"]
        if at_ns < row["event_ns"]:
            arrays.living[BACKWARDS] += 1
        else:
            row["event_ns"] = at_ns
        row["recv_ns"] = tick["recv_ns"]
        moved = row["status"] != tick["status"]
        row["status"] = tick["status"]
        if bid == bid:  # said
            row["bid"] = bid
        if ask == ask:
            row["ask"] = ask
        if bid_size == bid_size:
            row["bid_size"] = bid_size
        if ask_size == ask_size:
            row["ask_size"] = ask_size
        if tick["open_24h"] == tick["open_24h"]:
            state.memos[slot]["hour"] = HOUR_OF_SOURCE
            row["open_24h"] = tick["open_24h"]
            row["high_24h"] = tick["high_24h"]
            row["low_24h"] = tick["low_24h"]
            row["volume_24h"] = tick["volume_24h"]
        closed = 0
        if price == price:
            row["last"] = price
            if qty == qty:  # a trade; a price without a size is only the latest price
                row["last_size"] = qty
                row["volume"] += qty
                memo = state.memos[slot]
                memo["traded_ns"] = max(memo["traded_ns"], at_ns)
                day(arrays, state, slot, at_ns, price, price, price, qty)
                late = False
                for k in range(len(state.intervals_ns)):
                    if state.built[k] != 0:
                        result = merge(arrays, state, k, slot, at_ns, price, price, price, price, qty, 1.0)
                        if result > 0:
                            closed |= 1 << k
                        elif result < 0:
                            late = True
                if late:
                    arrays.living[LATE] += 1
        arrays.living[UPDATES] += 1
        _note(arrays, slot, layout.DEBUG_TICK, now_ns)
        _finish(arrays, state, slot, version, closed, now_ns, limit_ns)
        if moved:
            # After the row; pairs with the acquire of those who wait on candles and look at the rows' statuses.
            store_release(arrays.living, STATUS_CHANGES, arrays.living[STATUS_CHANGES] + 1)


@kernel
def apply_klines(arrays: Any, state: Any, klines: Any, interval: Any, base_s: int, now_ns: int, limit_ns: int) -> None:
    """Apply candles that the source keeps itself, in their order.

    `interval[i]` is the number of the kline's interval, -1 where the segment keeps none such. Closed klines of
    `base_s` seconds (the shortest the source brings) also count as trades: in the volume, the 24 h figures and the
    longer intervals that the feed keeps itself. Not where trades of their time came: those counted already.
    """
    for i in range(len(klines)):
        kline = klines[i]
        slot = kline["slot"]
        if slot < 0:
            arrays.living[REFUSED] += 1
            continue
        high, low, close, volume = kline["high"], kline["low"], kline["close"], kline["volume"]
        sound = low > 0.0 and high >= low and high < np.inf and close >= low and close <= high
        sound = sound and kline["open"] >= low and kline["open"] <= high and volume >= 0.0 and volume < np.inf
        if not sound or kline["open_ns"] <= 0 or kline["interval_s"] <= 0:
            arrays.living[REJECTED] += 1
            continue
        k = interval[i]
        start_ns = kline["open_ns"]
        length = np.int64(kline["interval_s"]) * 1_000_000_000
        finished = kline["closed"] != 0
        if k >= 0 and start_ns < arrays.opens[slot, k]["start_ns"]:
            arrays.living[LATE] += 1
            continue
        row = arrays.tickers[slot]
        version = _begin(arrays, slot)
        if version == 2:
            _first_row(arrays, slot)
        at_ns = start_ns + length if finished else max(start_ns, kline["recv_ns"])
        if at_ns >= row["event_ns"]:
            row["event_ns"] = at_ns
            row["last"] = close
        row["recv_ns"] = kline["recv_ns"]
        closed = 0
        if k >= 0:
            candle = arrays.opens[slot, k]
            if candle["trades"] > 0 and candle["start_ns"] < start_ns:  # its last word never came
                close_open(arrays, state, k, slot)
                closed |= 1 << k
            if finished:
                push(arrays, k, slot, start_ns, kline)
                closed |= 1 << k
                candle["start_ns"] = start_ns + length
                candle["trades"] = 0.0
            else:
                candle["start_ns"] = start_ns
                candle["open"] = kline["open"]
                candle["high"] = high
                candle["low"] = low
                candle["close"] = close
                candle["volume"] = volume
                candle["trades"] = max(kline["trades"], 1.0)
        if finished and kline["interval_s"] == base_s and state.memos[slot]["traded_ns"] < start_ns:
            row["volume"] += volume
            day(arrays, state, slot, start_ns, kline["open"], high, low, volume)
            for j in range(len(state.intervals_ns)):
                if state.built[j] != 0 and state.intervals_ns[j] > length and state.intervals_ns[j] % length == 0:
                    trades = max(kline["trades"], 1.0)
                    result = merge(arrays, state, j, slot, start_ns, kline["open"], high, low, close, volume, trades)
                    if result > 0:
                        closed |= 1 << j
                    # the last kline of a longer candle ends it: no tick can come any more
                    if result >= 0 and (start_ns + length) % state.intervals_ns[j] == 0:
                        close_open(arrays, state, j, slot)
                        closed |= 1 << j
        arrays.living[UPDATES] += 1
        _note(arrays, slot, layout.DEBUG_KLINE, now_ns)
        _finish(arrays, state, slot, version, closed, now_ns, limit_ns)


@kernel
def close_due(arrays: Any, state: Any, count: int, watermark_ns: int, now_ns: int, limit_ns: int) -> int:
    """Close every candle that ended at or before the event time `watermark_ns`; gives how many."""
    n = 0
    for slot in range(count):
        due = False
        for k in range(len(state.intervals_ns)):
            candle = arrays.opens[slot, k]
            if candle["trades"] > 0 and candle["start_ns"] + state.intervals_ns[k] <= watermark_ns:
                due = True
        if not due:
            continue
        version = _begin(arrays, slot)
        closed = 0
        for k in range(len(state.intervals_ns)):
            candle = arrays.opens[slot, k]
            if candle["trades"] > 0 and candle["start_ns"] + state.intervals_ns[k] <= watermark_ns:
                close_open(arrays, state, k, slot)
                closed |= 1 << k
                n += 1
        _note(arrays, slot, layout.DEBUG_CLOSE, now_ns)
        _finish(arrays, state, slot, version, closed, now_ns, limit_ns)
    return n
