"""Buffers: how each channel's pair of buffers and its readers are, from the segment and the collector's answer."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from tickflag.common.diagnosis.segment_facts import channel_facts
from tickflag.common.runtime import Runtime
from tickflag.common.segment.layout import CYCLE_RING
from tickflag.common.segment.segment import AttachError, Segment
from tickflag.common.units import NS_PER_MS


def channel_words(segment: Segment) -> list[dict[str, Any]]:
    """As `channel_facts`, with `oldest_ns`: monotonic time of the oldest update of the last closed cycle, 0 where that
    is not known any more."""
    channels = channel_facts(segment)
    for number, channel in enumerate(channels):
        cycle, oldest_ns = segment.arrays.cycles[number, channel["closed"] % CYCLE_RING].tolist()
        channel["oldest_ns"] = int(oldest_ns) if cycle == channel["closed"] and cycle else 0
    return channels


def current_channel_words(runtime: Runtime) -> list[dict[str, Any]]:
    """Those of the feed's segment, which is attached for the moment only; empty where there is none."""
    try:
        segment = Segment.attach_current(runtime)
    except (AttachError, OSError):  # OSError: descriptors are short
        return []
    with segment:
        return channel_words(segment)


def buffers(channels: Iterable[Mapping[str, Any]], traders: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A line for each of the `channels`; `traders` are the collector's, which tell what happened to their readers.

    `writing` is 0 for buffer A, 1 for B. `stamp_a` and `stamp_b` are the cycle that the buffer holds, 0 while the feed
    writes it. `stamp_age_ms` is the age of the last closed cycle's oldest update.
    """
    now_ns, told = time.monotonic_ns(), list(traders)
    lines = []
    for channel in channels:
        readers = [one for one in told if one.get("channel") == channel["channel"]]
        oldest_ns = channel["oldest_ns"]
        lines.append(
            {
                "channel": channel["channel"],
                "writing": channel["open"] % 2,
                "cycle": channel["closed"],
                "stamp_a": channel["stamp_a"],
                "stamp_b": channel["stamp_b"],
                "stamp_age_ms": (now_ns - oldest_ns) / NS_PER_MS if oldest_ns else None,
                "lapped": sum(one.get("lapped", 0) for one in readers),
                "catch_ups": sum(one["cycles"] - one["fast"] for one in readers),
                "retries": sum(one["retried"] for one in readers),
            }
        )
    return lines
