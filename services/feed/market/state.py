"""FeedState: what the feed remembers beside the segment, in private memory of its one thread."""

from typing import Any, NamedTuple

import numpy as np

from tickflag.common.arrays import ByteMask, Integers, Records, Slots
from tickflag.common.recordings.interval import grid_offset_seconds
from tickflag.common.segment.layout import Layout
from tickflag.common.units import NS_PER_S

HOURS = 24

# Words of FeedState.meta
PENDING_COUNT = 0  # deferred announcements
NEXT_DUE = 1  # monotonic ns when the first of them is due; 0: none
DIRTY = 2  # 1: a flag is set in an open cycle
KLINES = 3  # 1: a symbol's source brings candles
COVERED = 4  # event time from which on the sources bring everything: what began before is incomplete
AHEAD = 5  # ns that an event time may lie after its receipt
BEHIND = 6  # ns that an event time may lie before its receipt
IDS = 7  # 1: a trade had an id
DAY_HOUR = 8  # number of the hour to which the 24 h figures have been brought by the clock

HOUR_OF_SOURCE = -1

# One cache line a symbol: what every tick of it needs.
MEMO = np.dtype(
    [
        ("announced_ns", "<i8"),  # monotonic time of the last ticker announcement; 0: none yet
        ("pending_ns", "<i8"),  # monotonic time of the oldest deferred update; 0: none; -1: none, but still listed
        ("traded_ns", "<i8"),  # event time of the newest trade; 0: none yet
        ("trade_id", "<i8"),  # the id of that trade; 0: it has none
        ("hour", "<i8"),  # number of the present hour; HOUR_OF_SOURCE: the source brings the 24 h figures
        ("high", "<f8"), ("low", "<f8"), ("volume", "<f8"),  # of the present hour
    ]
)  # fmt: skip

# The first trade of an hour, which opens it.
OPENING = np.dtype([("price", "<f8"), ("at_ns", "<i8"), ("trade_id", "<i8"), ("_pad", "<i8")])

# A past hour of the 24 h figures.
HOUR = np.dtype(
    [
        ("hour", "<i8"),  # number of the hour since 1970
        ("high", "<f8"), ("low", "<f8"), ("volume", "<f8"),
        ("opening", OPENING),
    ]
)  # fmt: skip

# A symbol's base: the shortest candle that its source brings, as far as it is known and not counted yet.
BASE = np.dtype(
    [
        ("length_ns", "<i8"),  # 0: the source has brought no candle
        ("owned_ns", "<i8"),  # event time until which no longer candle can be the base
        ("shorter_ns", "<i8"),  # from when on candles of a shorter interval are the base; 0: none came
        ("start_ns", "<i8"),  # of the candle; without one, the time before which a candle counts no more
        ("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("close", "<f8"), ("volume", "<f8"),
        ("trades", "<f8"),
        ("held", "<i8"),  # 1: the candle is still to be counted
        # What counted: the time since the last gap between the candles, and the time before that gap.
        ("counted_from_ns", "<i8"), ("counted_until_ns", "<i8"),
        ("earlier_from_ns", "<i8"), ("earlier_until_ns", "<i8"),
        # Of the two newest with trades: their starts, and what the trades came to.
        ("traded_ns", "<i8"), ("traded_volume", "<f8"), ("traded_count", "<f8"),
        ("before_ns", "<i8"), ("before_volume", "<f8"), ("before_count", "<f8"),
    ]
)  # fmt: skip

# Words of FeedState.brought, event times in ns.
OWNED = 0  # before this time the source brings the candles
STATED = 1  # what the source stated of the forming candle is of this time; 0: it is made of trades alone
MISSED = 2  # start of the candle of which trades came while the one before was still open
STATED_ID = 3  # id of the last trade in what the source stated of the forming candle; 0: unknown

# What is left out of a symbol's figures: columns of FeedState.left_out, and the counters of these names.
LATE, DOUBLE, IMPOSSIBLE = range(3)
LEFT_OUT = ("late_ticks", "double_trades", "impossible_times")

DEAL_WAYS = 4
_DEALS = 32_749  # times DEAL_WAYS: how many of the newest trades with an id are remembered; a prime


class FeedState(NamedTuple):
    """The numpy arrays that the writer's kernels take beside the segment's `Arrays`."""

    memos: Records  # MEMO[capacity]
    pending: Slots  # slots put off, the first meta[PENDING_COUNT] count
    meta: Integers
    cycle: Integers  # (channel, 2): flags set in the open cycle, monotonic ns of its oldest update
    intervals_ns: Integers
    grid_ns: Integers  # (interval): a candle begins at this + a multiple of its interval
    brought: Integers  # (capacity, interval, 4): OWNED, STATED, MISSED and STATED_ID of candles that the source brings
    first_ids: Integers  # (capacity, interval): id of the earliest trade of the forming candle; 0: it has none
    said_ids: Integers  # (capacity): id of the trade that the source named with the last price it said; 0: none
    limited: ByteMask  # (capacity): 1 where the rate limit counts
    openings: Records  # OPENING[capacity], of the present hour
    hours: Records  # HOUR[capacity, HOURS]: the past ones
    bases: Records  # BASE[capacity]
    left_out: Integers  # (capacity, LEFT_OUT)
    stray: Integers  # the last update at an impossible time: slot, event time, receipt
    deals: Integers  # (bucket, DEAL_WAYS, 3): slot + 1, id and event time of the newest trades with an id


def new_state(plan: Layout) -> FeedState:
    """The state of a feed that has seen nothing."""
    capacity, intervals = plan.capacity, len(plan.intervals_s)
    meta = np.zeros(16, np.int64)
    meta[AHEAD] = meta[BEHIND] = 1 << 62
    return FeedState(
        memos=_aligned(capacity, MEMO),
        pending=np.zeros(capacity, np.int32),
        meta=meta,
        cycle=np.zeros((plan.channel_count, 2), np.int64),
        intervals_ns=np.array(plan.intervals_s, np.int64) * NS_PER_S,
        grid_ns=np.array([grid_offset_seconds(seconds) for seconds in plan.intervals_s], np.int64) * NS_PER_S,
        brought=np.zeros((capacity, intervals, 4), np.int64),
        first_ids=np.zeros((capacity, intervals), np.int64),
        said_ids=np.zeros(capacity, np.int64),
        limited=np.ones(capacity, np.uint8),
        openings=np.zeros(capacity, OPENING),
        hours=np.zeros((capacity, HOURS), HOUR),
        bases=np.zeros(capacity, BASE),
        left_out=np.zeros((capacity, len(LEFT_OUT)), np.int64),
        stray=np.zeros(3, np.int64),
        deals=np.zeros((_DEALS, DEAL_WAYS, 3), np.int64),
    )


def copy_state(before: FeedState, after: FeedState, count: int) -> None:
    """Copy what is known of the first `count` symbols, and of the market. Nothing may be pending."""
    for name in ("memos", "brought", "first_ids", "said_ids", "limited", "openings", "hours", "bases", "left_out"):
        getattr(after, name)[:count] = getattr(before, name)[:count]
    after.meta[KLINES:] = before.meta[KLINES:]
    after.stray[:] = before.stray
    after.deals[:] = before.deals


def _aligned(n: int, dtype: np.dtype[Any]) -> Records:
    """Zeros that begin at a cache line, so that each record of 64 bytes fills one."""
    raw = np.zeros(n * dtype.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n * dtype.itemsize].view(dtype)
