"""The feed's heartbeat: a time up to which everything that was due is announced.

A reader that finds a beat, and after it covers every closed cycle, has heard of all that was due by the beat.
"""

from typing import Any

from tickflag.common.jit import kernel
from tickflag.common.segment.atomics import load_acquire, store_release
from tickflag.common.segment.layout import HEARTBEAT


@kernel
def beat(living: Any, now_ns: int) -> None:
    """Show that the feed lives at the monotonic time `now_ns`. Only the feed calls it, when nothing is due any more."""
    # Pairs with the acquire in `last_beat`: who sees the beat sees every cycle that was closed before it.
    store_release(living, HEARTBEAT, now_ns)


@kernel
def last_beat(living: Any) -> int:
    """Monotonic ns of the last beat. Read it before `closed`: what was due by the beat is in the closed cycles."""
    return int(load_acquire(living, HEARTBEAT))
