"""What a source hands to the feed: batches of ticks and klines as structured arrays, times in ns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflag.common.arrays import Records
from tickflag.common.recordings.checks import ROUNDING

# A tick states what it knows; NaN stands for "not stated". `slot` is -1 where the symbol found no slot, `trade_id` 0
# where the venue gives none. The same trade is one symbol, event time and trade id. Of a price without a size,
# `trade_id` names the trade that had it.
TICK = np.dtype(
    [
        ("event_ns", "<i8"), ("recv_ns", "<i8"), ("slot", "<i4"), ("status", "<i4"), ("trade_id", "<i8"),
        ("price", "<f8"), ("qty", "<f8"), ("bid", "<f8"), ("ask", "<f8"), ("bid_size", "<f8"), ("ask_size", "<f8"),
        ("open_24h", "<f8"), ("high_24h", "<f8"), ("low_24h", "<f8"), ("volume_24h", "<f8"),
    ]
)  # fmt: skip

# A candle of `interval_s` as the source has it, closed or still forming. `event_ns` is the time of what a forming one
# states; `until_ns` is the event time at which the source stops to bring this interval of the symbol, 0 where unknown.
# `last_id` is the id of the last trade in it, 0 where unknown. An open of NaN: its beginning is not known.
KLINE = np.dtype(
    [
        ("open_ns", "<i8"), ("recv_ns", "<i8"), ("event_ns", "<i8"), ("until_ns", "<i8"),
        ("slot", "<i4"), ("interval_s", "<i4"),
        ("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("close", "<f8"), ("volume", "<f8"), ("trades", "<f8"),
        ("closed", "<i8"), ("last_id", "<i8"),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Batch:
    """Updates that arrived together: `rows` are all TICK or all KLINE."""

    rows: Records

    @property
    def is_ticks(self) -> bool:
        return self.rows.dtype == TICK


def ticks(n: int) -> npt.NDArray[Any]:
    """`n` ticks that state nothing yet."""
    rows = np.zeros(n, TICK)
    for field in TICK.names[5:]:  # type: ignore[index] # a structured dtype has names
        rows[field] = np.nan
    return rows


def widened(rows: Records) -> Records:
    """The klines; where open or close lies outside low to high by no more than rounding does, with room for it. The
    market rejects what lies further outside."""
    high, low = rows["high"], rows["low"]
    top, bottom = np.fmax(rows["open"], rows["close"]), np.fmin(rows["open"], rows["close"])
    outside = (high < top) | (low > bottom)
    if not outside.any():
        return rows
    near = outside & (top - high <= ROUNDING * high) & (low - bottom <= ROUNDING * low)
    rows = rows.copy()
    rows["high"], rows["low"] = np.where(near, np.fmax(high, top), high), np.where(near, np.fmin(low, bottom), low)
    return rows
