"""What a source hands to the feed: batches of ticks and klines as structured arrays, times in ns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# A tick tells what it knows; NaN is "not said". `slot` is the symbol's, or -1 for one that found none.
TICK = np.dtype(
    [
        ("event_ns", "<i8"), ("recv_ns", "<i8"), ("slot", "<i4"), ("status", "<i4"),
        ("price", "<f8"), ("qty", "<f8"), ("bid", "<f8"), ("ask", "<f8"), ("bid_size", "<f8"), ("ask_size", "<f8"),
        ("open_24h", "<f8"), ("high_24h", "<f8"), ("low_24h", "<f8"), ("volume_24h", "<f8"),
    ]
)  # fmt: skip

# A candle of `interval_s` as the source keeps it, closed or still forming.
KLINE = np.dtype(
    [
        ("open_ns", "<i8"), ("recv_ns", "<i8"), ("slot", "<i4"), ("interval_s", "<i4"),
        ("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("close", "<f8"), ("volume", "<f8"), ("trades", "<f8"),
        ("closed", "<i8"),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Batch:
    """Updates that arrived together: `rows` are all TICK or all KLINE."""

    rows: npt.NDArray[np.void]

    @property
    def is_ticks(self) -> bool:
        return self.rows.dtype == TICK


def ticks(n: int) -> npt.NDArray[Any]:
    """`n` ticks that say nothing yet."""
    rows = np.zeros(n, TICK)
    for field in TICK.names[4:]:  # type: ignore[index] # a structured dtype has names
        rows[field] = np.nan
    return rows
