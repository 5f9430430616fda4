"""The kernels of a symbol's row: its first contents, its end of an update, what is left out of its figures."""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.protocol.rows import end_row
from tickflag.common.segment import layout
from tickflag.common.segment.layout import COUNTER
from tickflag.services.feed.market.announce_kernels import announce, flag
from tickflag.services.feed.market.state import LEFT_OUT

_LEFT_OUT_WORDS = tuple(COUNTER[name] for name in LEFT_OUT)


@kernel
def first_row(arrays: Any, slot: int) -> None:
    """Fill a row that states nothing yet."""
    row = arrays.tickers[slot]
    row["last"] = row["bid"] = row["ask"] = row["last_size"] = row["bid_size"] = row["ask_size"] = np.nan
    row["open_24h"] = row["high_24h"] = row["low_24h"] = row["change_24h"] = np.nan
    row["volume"] = row["volume_24h"] = 0.0


@kernel
def finish(arrays: Any, state: Any, slot: int, version: int, closed: int, now_ns: int, limit_ns: int) -> None:
    """Unlock the row, then flag the symbol: `closed` has a bit for each interval of which a candle closed."""
    row = arrays.tickers[slot]
    if row["open_24h"] > 0:
        row["change_24h"] = row["last"] / row["open_24h"] - 1.0
    end_row(arrays.versions, slot, version)
    for k in range(len(state.intervals_ns)):
        if closed >> k & 1:
            flag(arrays, state, 1 + k, slot, now_ns)
    announce(arrays, state, slot, now_ns, limit_ns)


@kernel
def say_price(arrays: Any, state: Any, slot: int, at_ns: int, last_id: int, price: float) -> None:
    """Take a price that is no trade of its own: what a candle closes with, or what a 24 h ticker says.

    Its time is when it was said, so trades of that time may be missing in it. Where it names its last trade
    (`last_id`, else 0), it is older than the trades after that one.
    """
    row = arrays.tickers[slot]
    if at_ns >= row["last_ns"] and not 0 < last_id < state.memos[slot]["trade_id"]:
        row["last"] = price
        row["last_ns"] = at_ns
        state.said_ids[slot] = last_id


@kernel
def leave_out(arrays: Any, state: Any, slot: int, kind: int) -> None:
    """Count an update, or part of one, that is left out: LATE, DOUBLE or IMPOSSIBLE."""
    arrays.living[_LEFT_OUT_WORDS[kind]] += 1
    state.left_out[slot, kind] += 1


@kernel
def leave_out_stray(arrays: Any, state: Any, slot: int, kind: int, at_ns: int, recv_ns: int) -> None:
    """Count an update at an impossible time, and keep it as the example that is told."""
    leave_out(arrays, state, slot, kind)
    state.stray[0], state.stray[1], state.stray[2] = slot, at_ns, recv_ns


@kernel
def log_debug(arrays: Any, slot: int, kind: int, now_ns: int) -> None:
    """Write an entry of the debug ring, where that is switched on."""
    if arrays.living[layout.DEBUG_ON] != 0:
        entry = arrays.debug[arrays.living[layout.DEBUG_HEAD] % layout.DEBUG_RING]
        entry["time_ns"] = now_ns
        entry["slot"] = slot
        entry["kind"] = kind
        arrays.living[layout.DEBUG_HEAD] += 1
