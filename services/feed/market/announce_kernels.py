"""The announcing kernels: mark a symbol in a channel's open cycle, now or when its rate limit allows."""

from typing import Any

from tickflag.common.jit import kernel
from tickflag.common.protocol.cycles import is_flagged, set_flag
from tickflag.common.segment.layout import COUNTER
from tickflag.services.feed.market.state import DIRTY, NEXT_DUE, PENDING_COUNT

FLAGGED = COUNTER["flagged"]
DEFERRED = COUNTER["deferred"]


@kernel
def flag(arrays: Any, state: Any, channel: int, slot: int, oldest_ns: int) -> None:
    """Mark a symbol in the channel's open cycle; `oldest_ns` is when its first unannounced update came."""
    if set_flag(arrays.control, arrays.flags, channel, slot):
        arrays.living[FLAGGED] += 1
        state.cycle[channel, 0] += 1
        state.meta[DIRTY] = 1
    if state.cycle[channel, 1] == 0 or oldest_ns < state.cycle[channel, 1]:
        state.cycle[channel, 1] = oldest_ns


@kernel
def announce(arrays: Any, state: Any, slot: int, now_ns: int, limit_ns: int) -> None:
    """Flag the symbol in the ticker channel, now or once its rate limit is over: deferred, never lost.

    Where its flag still stands in the open cycle, the update is announced with that: the cycle closes after it.
    """
    memo = state.memos[slot]
    if is_flagged(arrays.control, arrays.flags, 0, slot):
        return
    recent = memo["announced_ns"] != 0 and now_ns - memo["announced_ns"] < limit_ns
    if recent and limit_ns > 0 and state.limited[slot] != 0:
        if memo["pending_ns"] <= 0:
            if memo["pending_ns"] == 0:
                state.pending[state.meta[PENDING_COUNT]] = slot
                state.meta[PENDING_COUNT] += 1
            memo["pending_ns"] = now_ns
            arrays.living[DEFERRED] += 1
            due = memo["announced_ns"] + limit_ns
            if state.meta[NEXT_DUE] == 0 or due < state.meta[NEXT_DUE]:
                state.meta[NEXT_DUE] = due
        return
    oldest_ns = now_ns
    if memo["pending_ns"] > 0:  # announced with this one; `announce_due` drops the entry in `pending`
        oldest_ns = memo["pending_ns"]
        memo["pending_ns"] = -1
    memo["announced_ns"] = now_ns
    flag(arrays, state, 0, slot, oldest_ns)


@kernel
def announce_due(arrays: Any, state: Any, now_ns: int, limit_ns: int) -> int:
    """Make the deferred announcements that are due, or all of them with a limit of 0; gives how many."""
    kept, announced, next_due = 0, 0, 0
    for i in range(state.meta[PENDING_COUNT]):
        slot = state.pending[i]
        memo = state.memos[slot]
        since = memo["pending_ns"]
        if since < 0:
            memo["pending_ns"] = 0
            continue
        due = memo["announced_ns"] + limit_ns
        if limit_ns == 0 or due <= now_ns:
            memo["pending_ns"] = 0
            memo["announced_ns"] = now_ns
            flag(arrays, state, 0, slot, since)
            announced += 1
        else:
            state.pending[kept] = slot
            kept += 1
            if next_due == 0 or due < next_due:
                next_due = due
    state.meta[PENDING_COUNT] = kept
    state.meta[NEXT_DUE] = next_due
    return announced
