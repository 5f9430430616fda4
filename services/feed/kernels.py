"""The writer's kernels: a tick or kline into row, candles and flags, in the order the update protocol asks for.

One thread of the feed calls them. `Arrays` is the segment, `FeedState` the feed's own memory. An update of a symbol:
version odd, fence, row and candles, version even (release), then its bit in every channel concerned.
"""

from typing import Any, NamedTuple

import numpy as np

from common import layout
from common.atomics import fence_release, store_relaxed, store_release
from common.bitset import set_bit
from common.jit import kernel
from common.layout import CONTROL_WORDS, COUNTER, OPEN

UPDATES = COUNTER["updates"]
FLAGGED = COUNTER["flagged"]
DEFERRED = COUNTER["deferred"]
CANDLES_CLOSED = COUNTER["candles_closed"]
LATE = COUNTER["late_ticks"]
REJECTED = COUNTER["rejected_updates"]
REFUSED = COUNTER["refused_updates"]
BACKWARDS = COUNTER["times_backwards"]

HOURS = 24
HOUR_NS = 3_600_000_000_000

# Words of FeedState.meta
PENDING_COUNT = 0  # announcements put off
NEXT_DUE = 1  # monotonic ns when the first of them is due; 0: none
DIRTY = 2  # 1: a flag is set in an open cycle


class FeedState(NamedTuple):
    """What the feed remembers besides the segment."""

    announced_ns: Any  # i8[capacity]: monotonic ns of the last ticker announcement; 0: none yet
    pending_ns: Any  # i8[capacity]: monotonic ns of the oldest update put off; 0: none; -1: none, but still listed
    pending: Any  # i4[capacity]: slots put off, the first meta[PENDING_COUNT] count
    meta: Any  # i8[8]
    cycle: Any  # i8[channel, 2]: flags set in the open cycle, monotonic ns of its oldest update
    intervals_ns: Any  # i8[interval]
    built: Any  # u1[interval]: 1 where the feed builds the candles, 0 where the source brings them
    day: Any  # f8[capacity, HOURS, 4]: open, high, low, volume of each hour
    day_hour: Any  # i8[capacity, HOURS + 1]: which hour the place holds; in the last, the newest of them
    day_native: Any  # u1[capacity]: 1 where the source brings the 24 h figures
    traded_ns: Any  # i8[capacity]: event time of the newest trade; 0: none yet


@kernel
def _flag(arrays: Any, state: Any, channel: int, slot: int, oldest_ns: int) -> None:
    cycle = arrays.control[channel * CONTROL_WORDS + OPEN]
    if set_bit(arrays.flags[channel, cycle % 2], slot):
        arrays.living[FLAGGED] += 1
        state.cycle[channel, 0] += 1
        state.meta[DIRTY] = 1
    if state.cycle[channel, 1] == 0 or oldest_ns < state.cycle[channel, 1]:
        state.cycle[channel, 1] = oldest_ns


@kernel
def _announce(arrays: Any, state: Any, slot: int, now_ns: int, limit_ns: int) -> None:
    """Flag the ticker now, or when the symbol's interval is over: delayed, never lost."""
    if limit_ns > 0 and state.announced_ns[slot] != 0 and now_ns - state.announced_ns[slot] < limit_ns:
        if state.pending_ns[slot] <= 0:
            if state.pending_ns[slot] == 0:
                state.pending[state.meta[PENDING_COUNT]] = slot
                state.meta[PENDING_COUNT] += 1
            state.pending_ns[slot] = now_ns
            arrays.living[DEFERRED] += 1
            due = state.announced_ns[slot] + limit_ns
            if state.meta[NEXT_DUE] == 0 or due < state.meta[NEXT_DUE]:
                state.meta[NEXT_DUE] = due
        return
    oldest_ns = now_ns
    if state.pending_ns[slot] > 0:  # announced with this one; its place in `pending` is dropped later
        oldest_ns = state.pending_ns[slot]
        state.pending_ns[slot] = -1
    state.announced_ns[slot] = now_ns
    _flag(arrays, state, 0, slot, oldest_ns)


@kernel
def announce_due(arrays: Any, state: Any, now_ns: int, limit_ns: int) -> int:
    """Flag the put-off announcements that are due (all of them with a limit of 0); gives how many."""
    kept, announced, next_due = 0, 0, 0
    for i in range(state.meta[PENDING_COUNT]):
        slot = state.pending[i]
        since = state.pending_ns[slot]
        if since < 0:
            state.pending_ns[slot] = 0
            continue
        due = state.announced_ns[slot] + limit_ns
        if limit_ns == 0 or due <= now_ns:
            state.pending_ns[slot] = 0
            state.announced_ns[slot] = now_ns
            _flag(arrays, state, 0, slot, since)
            announced += 1
        else:
            state.pending[kept] = slot
            kept += 1
            if next_due == 0 or due < next_due:
                next_due = due
    state.meta[PENDING_COUNT] = kept
    state.meta[NEXT_DUE] = next_due
    return announced


@kernel
def _begin(arrays: Any, slot: int) -> int:
    version = arrays.versions[slot]
    store_relaxed(arrays.versions, slot, version + 1)
    fence_release()  # odd before the first byte of the row changes; pairs with the fence in the readers' copy
    return int(version + 2)


@kernel
def _push(arrays: Any, k: int, slot: int, start_ns: int, candle: Any) -> None:
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
def _close_open(arrays: Any, state: Any, k: int, slot: int) -> None:
    """Close the candle being formed; ticks before its end are late from now on."""
    candle = arrays.opens[slot, k]
    _push(arrays, k, slot, candle["start_ns"], candle)
    candle["start_ns"] += state.intervals_ns[k]
    candle["trades"] = 0.0


@kernel
def _merge(
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
        _close_open(arrays, state, k, slot)
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
def _day(arrays: Any, state: Any, slot: int, at_ns: int, open_: float, high: float, low: float, volume: float) -> None:
    """Keep the rolling 24 h figures, in steps of an hour."""
    row = arrays.tickers[slot]
    hour = at_ns // HOUR_NS
    newest = max(state.day_hour[slot, HOURS], hour)
    if hour <= newest - HOURS:
        return  # older than a day
    state.day_hour[slot, HOURS] = newest
    place = hour % HOURS
    bucket = state.day[slot, place]
    if state.day_hour[slot, place] == hour:
        if high > bucket[1]:
            bucket[1] = high
        if low < bucket[2]:
            bucket[2] = low
        bucket[3] += volume
        if high > row["high_24h"]:
            row["high_24h"] = high
        if low < row["low_24h"]:
            row["low_24h"] = low
        row["volume_24h"] += volume
    else:
        state.day_hour[slot, place] = hour
        bucket[0], bucket[1], bucket[2], bucket[3] = open_, high, low, volume
        first = newest + 1
        row["high_24h"], row["low_24h"], row["volume_24h"] = high, low, 0.0
        for i in range(HOURS):
            held = state.day_hour[slot, i]
            if held > newest - HOURS and held > 0:
                other = state.day[slot, i]
                row["high_24h"] = max(row["high_24h"], other[1])
                row["low_24h"] = min(row["low_24h"], other[2])
                row["volume_24h"] += other[3]
                if held < first:
                    first = held
                    row["open_24h"] = other[0]


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
            _flag(arrays, state, 1 + k, slot, now_ns)
    _announce(arrays, state, slot, now_ns, limit_ns)


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
def apply_ticks(arrays: Any, state: Any, ticks: Any, now_ns: int, limit_ns: int) -> None:
    """Apply ticks in their order. `now_ns` is monotonic; `limit_ns` the rate limit per symbol, 0 for none."""
    for i in range(len(ticks)):
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
            state.day_native[slot] = 1
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
                state.traded_ns[slot] = max(state.traded_ns[slot], at_ns)
                if state.day_native[slot] == 0:
                    _day(arrays, state, slot, at_ns, price, price, price, qty)
                late = False
                for k in range(len(state.intervals_ns)):
                    if state.built[k] != 0:
                        result = _merge(arrays, state, k, slot, at_ns, price, price, price, price, qty, 1.0)
                        if result > 0:
                            closed |= 1 << k
                        elif result < 0:
                            late = True
                if late:
                    arrays.living[LATE] += 1
        arrays.living[UPDATES] += 1
        _note(arrays, slot, layout.DEBUG_TICK, now_ns)
        _finish(arrays, state, slot, version, closed, now_ns, limit_ns)


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
                _close_open(arrays, state, k, slot)
                closed |= 1 << k
            if finished:
                _push(arrays, k, slot, start_ns, kline)
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
        if finished and kline["interval_s"] == base_s and state.traded_ns[slot] < start_ns:
            row["volume"] += volume
            if state.day_native[slot] == 0:
                _day(arrays, state, slot, start_ns, kline["open"], high, low, volume)
            for j in range(len(state.intervals_ns)):
                if state.built[j] != 0 and state.intervals_ns[j] > length and state.intervals_ns[j] % length == 0:
                    trades = max(kline["trades"], 1.0)
                    result = _merge(arrays, state, j, slot, start_ns, kline["open"], high, low, close, volume, trades)
                    if result > 0:
                        closed |= 1 << j
                    # the last kline of a longer candle ends it: no tick can come any more
                    if result >= 0 and (start_ns + length) % state.intervals_ns[j] == 0:
                        _close_open(arrays, state, j, slot)
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
                _close_open(arrays, state, k, slot)
                closed |= 1 << k
                n += 1
        _note(arrays, slot, layout.DEBUG_CLOSE, now_ns)
        _finish(arrays, state, slot, version, closed, now_ns, limit_ns)
    return n
