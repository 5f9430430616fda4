"""The kline kernels: candles that a source brings, and the closing of candles by the watermark.

What a source brings is learned per symbol, from the candles themselves: a candle owns its interval until the time at
which the one after the next would be over, or until the time that its row states. Trades newer than what the source
stated last are added to the forming candle until the next word replaces it.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.protocol.rows import begin_row
from tickflag.common.segment import layout
from tickflag.common.segment.layout import COUNTER
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.base_kernels import become_base, count_base, is_base
from tickflag.services.feed.market.candle_kernels import CANDLES_CLOSED, close_open, push
from tickflag.services.feed.market.day_kernels import HOUR_NS, age, is_aged
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
    DAY_HOUR,
    DOUBLE,
    IMPOSSIBLE,
    KLINES,
    LATE,
    OWNED,
    STATED,
    STATED_ID,
)

UPDATES = COUNTER["updates"]
REJECTED = COUNTER["rejected_updates"]
REFUSED = COUNTER["refused_updates"]

NO_CANDLES = -1  # as `past_s`: candles of the past of which none counts
OWNED_LENGTHS = 3  # candle, its successor, and as long again for the successor to come


@kernel
def _is_repeated(arrays: Any, k: int, slot: int, kline: Any, length: int) -> bool:
    """Whether the kline is the candle that closed last, come again."""
    head = arrays.heads[k, slot]
    if kline["closed"] == 0 or head == 0 or kline["open_ns"] + length != arrays.opens[slot, k]["start_ns"]:
        return False
    ring = arrays.rings[k, slot]
    at = (head - 1) % ring.shape[1]
    return bool(
        ring[layout.OPEN_PRICE, at] == kline["open"]
        and ring[layout.HIGH, at] == kline["high"]
        and ring[layout.LOW, at] == kline["low"]
        and ring[layout.CLOSE, at] == kline["close"]
        and ring[layout.VOLUME, at] == kline["volume"]
    )


@kernel
def _is_sound(kline: Any) -> bool:
    """Whether prices and volume are possible. The open of an incomplete candle is NaN."""
    open_, high, low, close, volume = kline["open"], kline["high"], kline["low"], kline["close"], kline["volume"]
    if open_ != open_:
        return bool(close > 0.0 and close < np.inf)
    sound = low > 0.0 and high >= low and high < np.inf and close >= low and close <= high
    return bool(sound and open_ >= low and open_ <= high and volume >= 0.0 and volume < np.inf)


@kernel
def _word_ns(kline: Any) -> int:
    """The time of what a forming candle states."""
    return int(kline["event_ns"] if kline["event_ns"] > 0 else kline["recv_ns"])


@kernel
def _is_ahead(state: Any, kline: Any, length: int) -> bool:
    """Whether a time of the candle lies too far after its receipt."""
    latest_ns = max(kline["open_ns"], kline["event_ns"])
    if kline["closed"] != 0:
        latest_ns = max(latest_ns, kline["open_ns"] + length)
    return bool(kline["recv_ns"] > 0 and latest_ns - kline["recv_ns"] > state.meta[AHEAD])


@kernel
def _is_outdated(arrays: Any, state: Any, k: int, slot: int, kline: Any) -> bool:
    """Whether the source stated something newer of the candle that forms."""
    candle = arrays.opens[slot, k]
    forms = candle["first_ns"] > 0 and candle["start_ns"] == kline["open_ns"]
    return bool(forms and max(kline["open_ns"], _word_ns(kline)) < state.brought[slot, k, STATED])


@kernel
def _take(arrays: Any, state: Any, k: int, slot: int, kline: Any, length: int) -> int:
    """Take a candle into an interval that the segment keeps; gives 1 where a candle closed."""
    candle = arrays.opens[slot, k]
    start_ns = kline["open_ns"]
    closed = 0
    if candle["first_ns"] > 0 and candle["start_ns"] < start_ns:  # its closing kline never came
        close_open(arrays, state, k, slot)
        closed = 1
    if kline["closed"] != 0:
        push(arrays, k, slot, start_ns, kline)
        candle["start_ns"] = start_ns + length
        candle["first_ns"] = 0
        candle["trades"] = 0.0
        return 1
    candle["start_ns"] = start_ns
    candle["first_ns"] = start_ns
    state.first_ids[slot, k] = 0
    state.brought[slot, k, STATED] = max(start_ns, _word_ns(kline))
    state.brought[slot, k, STATED_ID] = kline["last_id"]
    candle["open"], candle["high"], candle["low"] = kline["open"], kline["high"], kline["low"]
    candle["close"], candle["volume"] = kline["close"], kline["volume"]
    candle["trades"] = kline["trades"]
    return closed


@kernel
def apply_klines(arrays: Any, state: Any, klines: Any, interval: Any, past_s: int, now_ns: int, limit_ns: int) -> None:
    """Apply candles that a source brings, in their order.

    `interval[i]` is the number of the kline's interval, -1 where the segment does not keep it. With `past_s` other than
    0 the candles are of the past, one interval after the other: those of `past_s` seconds count, the forming ones too,
    and the others do not.
    """
    for i in range(len(klines)):
        kline = klines[i]
        slot, k, start_ns = kline["slot"], interval[i], kline["open_ns"]
        length = kline["interval_s"] * np.int64(NS_PER_S)
        if slot < 0:
            arrays.living[REFUSED] += 1
            continue
        if not _is_sound(kline) or start_ns <= 0 or length <= 0:
            arrays.living[REJECTED] += 1
            continue
        recv_ns = kline["recv_ns"]
        if _is_ahead(state, kline, length):
            leave_out_stray(arrays, state, slot, IMPOSSIBLE, max(start_ns, kline["event_ns"]), recv_ns)
            continue
        owned_ns = start_ns + OWNED_LENGTHS * length
        if kline["until_ns"] > 0:
            owned_ns = min(owned_ns, kline["until_ns"])
        state.meta[KLINES] = 1
        if k >= 0:
            state.brought[slot, k, OWNED] = max(state.brought[slot, k, OWNED], owned_ns)
        base = state.bases[slot]
        counts = length == past_s * NS_PER_S if past_s != 0 else is_base(state, slot, length, start_ns)
        over_ns = arrays.opens[slot, k]["start_ns"] if k >= 0 else base["start_ns"] if counts else 0
        if start_ns < over_ns:
            repeated = k >= 0 and _is_repeated(arrays, k, slot, kline, length)
            leave_out(arrays, state, slot, DOUBLE if repeated else LATE)
            continue
        finished = kline["closed"] != 0
        if k >= 0 and not finished and _is_outdated(arrays, state, k, slot, kline):
            leave_out(arrays, state, slot, LATE)
            continue
        row = arrays.tickers[slot]
        version = begin_row(arrays.versions, slot)
        if version == 2:
            first_row(arrays, slot)
        at_ns = start_ns + length if finished else max(start_ns, _word_ns(kline))
        row["event_ns"] = max(row["event_ns"], at_ns)
        say_price(arrays, state, slot, at_ns, kline["last_id"], kline["close"])
        row["recv_ns"] = recv_ns
        closed = 0
        past = past_s != 0
        counts = counts and kline["open"] == kline["open"]
        if counts and base["held"] != 0 and base["start_ns"] < start_ns:
            closed |= count_base(arrays, state, slot)
        if counts and not past and length != base["length_ns"]:
            become_base(arrays, state, k, slot, length, start_ns)
        if k >= 0 and _take(arrays, state, k, slot, kline, length) > 0:
            closed |= 1 << k
        # Trades of a recording may have counted for the candles of the last run.
        known = past and state.memos[slot]["traded_ns"] >= start_ns
        if counts and start_ns >= base["start_ns"] and not known:
            base["length_ns"], base["owned_ns"], base["start_ns"] = length, owned_ns, start_ns
            base["open"], base["high"], base["low"] = kline["open"], kline["high"], kline["low"]
            base["close"], base["volume"] = kline["close"], kline["volume"]
            base["trades"], base["held"] = kline["trades"], 1
            if finished or past:
                closed |= count_base(arrays, state, slot)
        arrays.living[UPDATES] += 1
        log_debug(arrays, slot, layout.DEBUG_KLINE, now_ns)
        finish(arrays, state, slot, version, closed, now_ns, limit_ns)


@kernel
def _is_due(arrays: Any, state: Any, k: int, slot: int, watermark_ns: int) -> bool:
    candle = arrays.opens[slot, k]
    return bool(candle["first_ns"] > 0 and candle["start_ns"] + state.intervals_ns[k] <= watermark_ns)


@kernel
def close_due(arrays: Any, state: Any, count: int, watermark_ns: int, now_ns: int, limit_ns: int) -> int:
    """Close every candle that ended at or before the event time `watermark_ns`, and let the 24 h figures age with it;
    gives how many candles closed."""
    before = arrays.living[CANDLES_CLOSED]
    before_hour = state.meta[DAY_HOUR]
    state.meta[DAY_HOUR] = max(before_hour, watermark_ns // HOUR_NS)
    turned = state.meta[DAY_HOUR] > before_hour
    for slot in range(count):
        base = state.bases[slot]
        counts = base["held"] != 0 and base["start_ns"] + base["length_ns"] <= watermark_ns
        due = counts
        for k in range(len(state.intervals_ns)):
            due = due or _is_due(arrays, state, k, slot, watermark_ns)
        aged = turned and is_aged(state, slot, before_hour)
        if not due and not aged:
            continue
        version = begin_row(arrays.versions, slot)
        closed = count_base(arrays, state, slot) if counts else 0
        if aged:
            age(arrays, state, slot)
        for k in range(len(state.intervals_ns)):
            if _is_due(arrays, state, k, slot, watermark_ns):
                close_open(arrays, state, k, slot)
                closed |= 1 << k
        log_debug(arrays, slot, layout.DEBUG_CLOSE, now_ns)
        finish(arrays, state, slot, version, closed, now_ns, limit_ns)
    return int(arrays.living[CANDLES_CLOSED] - before)
