"""What the feed's segment tells of the feed, without asking it."""

import time
from typing import Any

from common.layout import HEARTBEAT, SYMBOL_COUNT
from common.runtime import Role, Runtime
from common.segment import AttachError, Segment
from common.settings import Settings

STALE_BEATS = 3


def facts(settings: Settings, runtime: Runtime) -> dict[str, Any]:
    """`state` is `running`, `starting` (no segment yet), `stale` (no heartbeat) or `stopped`; then what is known."""
    pid = Role.holder(runtime, "feed")
    if pid is None:
        return {"state": "stopped"}
    try:
        segment = Segment.attach_current(runtime)
    except AttachError:
        return {"state": "starting", "pid": pid}
    with segment:
        living = segment.arrays.living
        age_ms = (time.monotonic_ns() - int(living[HEARTBEAT])) / 1e6
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
