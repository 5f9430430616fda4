"""A Market over a segment of its own, and batches for it. Times are in ns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.codec import decode_event, encode_event
from tickflag.common.wire.messages import SwapEvent
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.updates import KLINE, Batch, ticks

MINUTE = 60 * NS_PER_S
NOON = 1_700_049_600 * NS_PER_S  # a whole minute and hour, and half a day: the event time at which tests begin


@contextmanager
def open_market(
    runtime: Runtime,
    capacity: int = 40,
    depth: int = 5,
    intervals_s: tuple[int, ...] = (60, 300),
    rate_limit_ns: int = 0,
    watermark_ns: int = 0,
    symbols: int = 0,
) -> Iterator[MarketWriter]:
    """A market with a published segment and `symbols` symbols: S0, S1, and so on."""
    with Segment.create(runtime, layout.plan(capacity, depth, intervals_s)) as segment:
        market = MarketWriter(segment, rate_limit_ns, watermark_ns)
        segment.publish(runtime)
        for number in range(symbols):
            market.slot(f"S{number}")
        yield market


def tick_batch(
    slots: Sequence[int],
    prices: Sequence[float],
    event_ns: int | Sequence[int] = NOON,
    qty: float | Sequence[float] = 1.0,
    **fields: Any,
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
    """One candle a slot, with volume 1, one trade and four equal prices; `fields` set other columns."""
    rows = np.zeros(len(slots), KLINE)
    rows["slot"], rows["open_ns"], rows["interval_s"], rows["closed"] = slots, open_ns, interval_s, closed
    rows["recv_ns"] = rows["open_ns"]
    rows["volume"], rows["trades"] = 1.0, 1.0
    for field in ("open", "high", "low", "close"):
        rows[field] = prices
    for field, value in fields.items():
        rows[field] = value
    return Batch(rows)


def swap(market: MarketWriter, now_ns: int = 1) -> list[SwapEvent]:
    """Close the open cycles; gives their events, encoded and decoded again."""
    frames: list[bytes] = []
    market.swap(lambda swap: frames.append(encode_event(swap)), now_ns)
    return [decode_event(frame) for frame in frames]


def memory(segment: Segment) -> dict[str, bytes]:
    """The bytes of every region but the header, to compare segments."""
    regions = {name: array.tobytes() for name, array in segment.arrays._asdict().items()}
    return {"names": segment.names.tobytes(), **regions}
