"""feed_state: the state of the feed as its segment tells it, without a request to the feed."""

import time
from typing import Any

from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.layout import HEARTBEAT, SYMBOL_COUNT
from tickflag.common.segment.segment import AttachError, Segment
from tickflag.common.settings import Settings
from tickflag.common.settings_schema.feed import STALE_BEATS
from tickflag.common.units import NS_PER_MS


def feed_state(settings: Settings, runtime: Runtime) -> dict[str, Any]:
    """What is known of the feed. `state` is `running`, `starting` (no segment yet), `stale` (no heartbeat) or
    `stopped`."""
    pid = Role.holder(runtime, "feed")
    if pid is None:
        return {"state": "stopped"}
    try:
        segment = Segment.attach_current(runtime)
    except AttachError:
        return {"state": "starting", "pid": pid}
    with segment:
        return segment_state(settings, pid, segment)


def segment_state(settings: Settings, pid: int, segment: Segment) -> dict[str, Any]:
    """As `feed_state`, of the feed `pid` whose segment is attached."""
    living = segment.arrays.living
    age_ms = (time.monotonic_ns() - int(living[HEARTBEAT])) / NS_PER_MS
    stale = age_ms > STALE_BEATS * settings.feed.heartbeat_ms
    return {
        "state": "stale" if stale else "running",
        "pid": pid,
        "generation": f"{segment.generation:016x}",
        "segment": segment.path.name,
        "bytes": segment.nbytes,
        "capacity": segment.layout.capacity,
        "symbols": int(living[SYMBOL_COUNT]),
        "heartbeat_age_ms": round(age_ms, 1),
        **segment.counters(),
    }
