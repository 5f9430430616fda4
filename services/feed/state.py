"""FeedState: what the feed remembers besides the segment. Private memory of its one thread."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common.layout import Layout

HOURS = 24

# Words of FeedState.meta
PENDING_COUNT = 0  # announcements put off
NEXT_DUE = 1  # monotonic ns when the first of them is due; 0: none
DIRTY = 2  # 1: a flag is set in an open cycle

HOUR_OF_SOURCE = -1

# One cache line a symbol: what every tick of it needs.
MEMO = np.dtype(
    [
        ("announced_ns", "<i8"),  # monotonic time of the last ticker announcement; 0: none yet
        ("pending_ns", "<i8"),  # monotonic time of the oldest update put off; 0: none; -1: none, but still listed
        ("traded_ns", "<i8"),  # event time of the newest trade; 0: none yet
        ("hour", "<i8"),  # number of the present hour; HOUR_OF_SOURCE: the source brings the 24 h figures
        ("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("volume", "<f8"),  # of the present hour
    ]
)  # fmt: skip


class FeedState(NamedTuple):
    """As numpy arrays; what the writer's kernels take beside the segment's `Arrays`."""

    memos: npt.NDArray[np.void]  # MEMO[capacity]
    pending: npt.NDArray[np.int32]  # slots put off, the first meta[PENDING_COUNT] count
    meta: npt.NDArray[np.int64]
    cycle: npt.NDArray[np.int64]  # (channel, 2): flags set in the open cycle, monotonic ns of its oldest update
    intervals_ns: npt.NDArray[np.int64]
    built: npt.NDArray[np.uint8]  # (interval): 1 where the feed builds the candles, 0 where the source brings them
    limited: npt.NDArray[np.uint8]  # (capacity): 1 where the rate limit counts
    hours: npt.NDArray[np.float64]  # (capacity, HOURS, 5): hour number, open, high, low, volume of past hours


def new_state(plan: Layout, built: list[bool]) -> FeedState:
    """The state of a feed that has seen nothing."""
    return FeedState(
        memos=_aligned(plan.capacity, MEMO),
        pending=np.zeros(plan.capacity, np.int32),
        meta=np.zeros(8, np.int64),
        cycle=np.zeros((plan.channel_count, 2), np.int64),
        intervals_ns=np.array(plan.intervals_s, np.int64) * 1_000_000_000,
        built=np.array(built, np.uint8),
        limited=np.ones(plan.capacity, np.uint8),
        hours=np.zeros((plan.capacity, HOURS, 5)),
    )


def copy_state(before: FeedState, after: FeedState, count: int) -> None:
    """Hand on what is known of the first `count` symbols. Nothing may be pending."""
    after.memos[:count] = before.memos[:count]
    after.hours[:count] = before.hours[:count]
    after.limited[:count] = before.limited[:count]


def _aligned(n: int, dtype: np.dtype[Any]) -> npt.NDArray[np.void]:
    """Zeros that begin at a cache line, so that a record of 64 bytes lies in one."""
    raw = np.zeros(n * dtype.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n * dtype.itemsize].view(dtype)
