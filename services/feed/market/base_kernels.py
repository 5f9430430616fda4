"""The kernels of a symbol's base: the shortest interval that its source brings, of which each candle counts once.

A candle of the base counts in volume, 24 h figures and the longer candles that no source brings: when it is final, when
its successor comes or when the watermark passes its end, with what it states then beyond the trades of its own time.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.services.feed.market.candle_kernels import close_open, merge_candle
from tickflag.services.feed.market.day_kernels import count_in_day
from tickflag.services.feed.market.row_kernels import leave_out
from tickflag.services.feed.market.state import LATE, OWNED, STATED

ROUNDING = 1e-9  # of a volume: sums of the same trades differ by less


@kernel
def count_beside(state: Any, slot: int, at_ns: int, qty: float) -> bool:
    """Note a trade in its base candle; False where that counted already, with the trade in it."""
    base = state.bases[slot]
    length = base["length_ns"]
    if length == 0:
        return True
    if base["counted_from_ns"] <= at_ns and at_ns < base["counted_until_ns"]:
        return False
    if base["earlier_from_ns"] <= at_ns and at_ns < base["earlier_until_ns"]:
        return False
    start_ns = at_ns - (at_ns - base["start_ns"]) % length
    if start_ns > base["traded_ns"]:
        base["before_ns"], base["traded_ns"] = base["traded_ns"], start_ns
        base["before_volume"], base["traded_volume"] = base["traded_volume"], qty
        base["before_count"], base["traded_count"] = base["traded_count"], 1.0
    elif start_ns == base["traded_ns"]:
        base["traded_volume"] += qty
        base["traded_count"] += 1.0
    elif start_ns > base["before_ns"]:
        base["before_ns"], base["before_volume"], base["before_count"] = start_ns, qty, 1.0
    elif start_ns == base["before_ns"]:
        base["before_volume"] += qty
        base["before_count"] += 1.0
    return True


@kernel
def become_base(arrays: Any, state: Any, k: int, slot: int, length: int, start_ns: int) -> None:
    """Candles of another interval are the symbol's base from now on. What the base before brought has counted."""
    base = state.bases[slot]
    base["length_ns"], base["start_ns"], base["held"] = length, start_ns, 0
    base["shorter_ns"] = base["traded_ns"] = base["before_ns"] = 0
    traded_ns = state.memos[slot]["traded_ns"]
    if traded_ns == 0:
        return
    # Of the trades before only those of the forming candle are known; the others count as all there were.
    base["traded_ns"] = newest_ns = traded_ns - (traded_ns - start_ns) % length
    base["before_ns"] = newest_ns - length
    base["traded_volume"] = base["traded_count"] = base["before_volume"] = base["before_count"] = np.inf
    if k >= 0:
        candle = arrays.opens[slot, k]
        if candle["first_ns"] > 0 and candle["start_ns"] == newest_ns and state.brought[slot, k, STATED] == 0:
            base["traded_volume"], base["traded_count"] = candle["volume"], candle["trades"]


@kernel
def is_base(state: Any, slot: int, length: int, start_ns: int) -> bool:
    """Whether candles of this length are the symbol's base: the shortest there are, from the end of the present base
    candle on, or longer ones once no shorter one comes."""
    base = state.bases[slot]
    if length == base["length_ns"]:
        return True
    held_ns = base["start_ns"] + base["length_ns"] * base["held"]
    if base["length_ns"] > length:
        if base["shorter_ns"] == 0:  # at the end of the present candle, which has all of its time
            base["shorter_ns"] = start_ns + (base["start_ns"] - start_ns) % base["length_ns"]
        return bool(start_ns >= held_ns and start_ns >= base["shorter_ns"])
    return bool(base["length_ns"] == 0 or start_ns >= base["owned_ns"])


@kernel
def count_base(arrays: Any, state: Any, slot: int) -> int:
    """Count what the base candle states beyond the trades of its time; gives the intervals of which a candle closed."""
    base = state.bases[slot]
    start_ns, length = base["start_ns"], base["length_ns"]
    volume, trades = base["volume"], base["trades"]
    if start_ns == base["traded_ns"]:
        volume, trades = volume - base["traded_volume"], trades - base["traded_count"]
    elif start_ns == base["before_ns"]:
        volume, trades = volume - base["before_volume"], trades - base["before_count"]
    if volume <= ROUNDING * base["volume"]:  # the same trades, summed up another way
        volume = 0.0
    closed = _count(
        arrays, state, slot, start_ns, length,
        base["open"], base["high"], base["low"], base["close"], volume, max(trades, 0.0),
    )  # fmt: skip
    if start_ns > base["counted_until_ns"]:  # after a gap
        base["earlier_from_ns"], base["earlier_until_ns"] = base["counted_from_ns"], base["counted_until_ns"]
        base["counted_from_ns"] = start_ns
    base["counted_until_ns"] = start_ns + length
    base["start_ns"] = start_ns + length
    base["held"] = 0
    return closed


@kernel
def _count(
    arrays: Any, state: Any, slot: int, start_ns: int, length: int,
    open_: float, high: float, low: float, close: float, volume: float, trades: float,
) -> int:  # fmt: skip
    """Count a candle in volume, 24 h figures and longer candles; gives the intervals of which a candle closed."""
    arrays.tickers[slot]["volume"] += volume
    traded_ns = state.memos[slot]["traded_ns"]
    count_in_day(arrays, state, slot, start_ns, 0, start_ns >= traded_ns, open_, high, low, volume)
    newest = traded_ns < start_ns + length
    closed, late = 0, False
    for j in range(len(state.intervals_ns)):
        longer = state.intervals_ns[j]
        if longer <= length or longer % length != 0 or start_ns < state.brought[slot, j, OWNED]:
            continue
        result = merge_candle(arrays, state, j, slot, start_ns, open_, high, low, close, volume, trades, newest)
        if result > 0:
            closed |= 1 << j
        # the last candle inside a longer one ends it: no trade of it can follow
        if result >= 0 and (start_ns + length - state.grid_ns[j]) % longer == 0:
            close_open(arrays, state, j, slot)
            closed |= 1 << j
        late = late or (result < 0 and volume > 0.0)
    if late:
        leave_out(arrays, state, slot, LATE)
    return closed
