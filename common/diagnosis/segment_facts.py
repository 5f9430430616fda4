"""The segment apart from market data: header, channels, counters, the debug ring, as plain values."""

import time
from collections.abc import Sequence
from typing import Any

from tickflag.common.segment import layout
from tickflag.common.segment.layout import CLOSED, CONTROL_WORDS, OPEN, STAMP
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_MS

_KINDS = {layout.DEBUG_TICK: "tick", layout.DEBUG_KLINE: "kline", layout.DEBUG_CLOSE: "close"}


def segment_summary(segment: Segment) -> dict[str, Any]:
    """Header, number of symbols, counters and channels: everything but market data."""
    return {
        "header": header_facts(segment),
        "symbol_count": int(segment.arrays.living[layout.SYMBOL_COUNT]),
        "counters": segment.counters(),
        "channels": channel_facts(segment),
    }


def header_facts(segment: Segment) -> dict[str, Any]:
    """What the header says, the age of the heartbeat, and whether the debug ring is on."""
    plan = segment.layout
    return {
        "file": segment.path.name,
        "generation": f"{segment.generation:016x}",
        "layout_version": layout.LAYOUT_VERSION,
        "bytes": segment.nbytes,
        "capacity": plan.capacity,
        "depth": plan.depth,
        "intervals": list(segment.channel_names[1:]),
        "heartbeat_age_ms": round((time.monotonic_ns() - int(segment.arrays.living[layout.HEARTBEAT])) / NS_PER_MS, 1),
        "debug": bool(segment.arrays.living[layout.DEBUG_ON]),
    }


def channel_facts(segment: Segment) -> list[dict[str, Any]]:
    """The control words of each channel."""
    control = segment.arrays.control
    return [
        {
            "channel": name,
            "open": int(control[at + OPEN]),
            "closed": int(control[at + CLOSED]),
            "stamp_a": int(control[at + STAMP]),
            "stamp_b": int(control[at + STAMP + 1]),
        }
        for name, at in zip(segment.channel_names, range(0, len(control), CONTROL_WORDS), strict=True)
    ]


def debug_ring(segment: Segment, names: Sequence[str]) -> list[dict[str, Any]]:
    """The debug ring, oldest entry first; `names` are the symbols by slot. The newest entries may be half written,
    which does no harm here."""
    ring = segment.arrays.debug.copy()
    head = int(segment.arrays.living[layout.DEBUG_HEAD])
    now_ns = time.monotonic_ns()
    entries = []
    for at in range(max(0, head - len(ring)), head):
        entry = ring[at % len(ring)]
        slot = int(entry["slot"])
        entries.append(
            {
                "age_ms": round((now_ns - int(entry["time_ns"])) / NS_PER_MS, 3),
                "symbol": names[slot] if slot < len(names) else f"slot {slot}",
                "kind": _KINDS.get(int(entry["kind"]), "?"),
            }
        )
    return entries
