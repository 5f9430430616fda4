"""A Market over a segment of its own, and batches for it. Times are in ns."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from common import layout
from common.codec import decode_event, encode_event
from common.messages import SwapEvent
from common.runtime import Runtime
from common.segment import Segment
from services.feed.market import Market
from services.feed.updates import KLINE, Batch, ticks

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
NOON = 1_700_049_600 * SECOND  # a whole minute, hour and day half: the event time at which tests begin


@contextmanager
def open_market(
    runtime: Runtime,
    capacity: int = 40,
    depth: int = 5,
    intervals_s: tuple[int, ...] = (60, 300),
    rate_limit_ns: int = 0,
    watermark_ns: int = 0,
    native_s: Iterable[int] = (),
    symbols: int = 0,
) -> Iterator[Market]:
    """A market with a published segment and `symbols` symbols S0, S1, and so on."""
    with Segment.create(runtime, layout.plan(capacity, depth, intervals_s)) as segment:
        market = Market(segment, rate_limit_ns, watermark_ns, native_s)
        segment.publish(runtime)
        for number in range(symbols):
            market.slot(f"S{number}")
        yield market


def tick_batch(
    slots: Sequence[int], prices: Sequence[float], event_ns: int | Sequence[int] = NOON, qty: float = 1.0, **fields: Any
) -> Batch:
    """One trade a slot; `fields` set further columns."""
    rows = ticks(len(slots))
    rows["slot"], rows["price"], rows["event_ns"], rows["qty"] = slots, prices, event_ns, qty
    for field, value in fields.items():
        rows[field] = value
    return Batch(rows)


def kline_batch(
    slots: Sequence[int],
    prices: Sequence[float],
    open_ns: int | Sequence[int] = NOON,
    interval_s: int | Sequence[int] = 60,
    closed: bool = True,
    **fields: Any,
) -> Batch:
    """One candle a slot whose four prices are the same, with volume 1 and one trade; `fields` set other columns."""
    rows = np.zeros(len(slots), KLINE)
    rows["slot"], rows["open_ns"], rows["interval_s"], rows["closed"] = slots, open_ns, interval_s, closed
    rows["recv_ns"] = rows["open_ns"]
    rows["volume"], rows["trades"] = 1.0, 1.0
    for field in ("open", "high", "low", "close"):
        rows[field] = prices
    for field, value in fields.items():
        rows[field] = value
    return Batch(rows)


def swap(market: Market, now_ns: int = 1) -> list[SwapEvent]:
    """Close the open cycles; gives their events, through the wire."""
    frames: list[bytes] = []
    market.swap(lambda swap: frames.append(encode_event(swap)), now_ns)
    return [decode_event(frame) for frame in frames]


def memory(segment: Segment) -> dict[str, bytes]:
    """The bytes of every region but the header's, to compare segments."""
    regions = {name: array.tobytes() for name, array in segment.arrays._asdict().items()}
    return {"names": segment.names.tobytes(), **regions}
