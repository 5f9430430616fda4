"""Buffers: what the segment's words and the readers' counts say of each channel."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.processes.folders import runtime_folder
from tickflag.common.diagnosis.buffers import buffers, current_channel_words
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.layout import CLOSED, CONTROL_WORDS, OPEN, STAMP, plan
from tickflag.common.segment.segment import Segment


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


def _reader(channel: str, **fields: Any) -> dict[str, Any]:
    return {"channel": channel, "cycles": 10, "fast": 8, "retried": 3, "lapped": 1, **fields}


def test_without_a_segment(runtime: Runtime) -> None:
    """Nothing is known."""
    assert current_channel_words(runtime) == []
    assert buffers([], [_reader("ticker")]) == []


def test_each_channel(runtime: Runtime) -> None:
    """Its words as the segment has them; the counts of its own readers only, also of one that tells no `lapped`."""
    with Role(runtime, "feed"), Segment.create(runtime, plan(64, 8, (60,))) as segment:
        segment.publish(runtime)
        control = segment.arrays.control
        control[CLOSED], control[OPEN], control[STAMP] = 6, 7, 6
        segment.arrays.cycles[0, 6] = (6, time.monotonic_ns() - 5_000_000)
        control[CONTROL_WORDS + CLOSED], control[CONTROL_WORDS + OPEN], control[CONTROL_WORDS + STAMP + 1] = 9, 10, 9
        segment.arrays.cycles[1, 9] = (1, 77)  # of another cycle: overwritten
        words = current_channel_words(runtime)
    old = _reader("1m")
    del old["lapped"]
    ticker, minute = buffers(words, [_reader("ticker"), _reader("ticker", fast=10), old, {"name": "not heard yet"}])
    age_ms = ticker.pop("stamp_age_ms")
    assert age_ms >= 5.0
    assert ticker == {
        "channel": "ticker", "writing": 1, "cycle": 6, "stamp_a": 6, "stamp_b": 0,
        "lapped": 2, "catch_ups": 2, "retries": 6,
    }  # fmt: skip
    assert minute == {
        "channel": "1m", "writing": 0, "cycle": 9, "stamp_a": 0, "stamp_b": 9, "stamp_age_ms": None,
        "lapped": 0, "catch_ups": 2, "retries": 3,
    }  # fmt: skip
