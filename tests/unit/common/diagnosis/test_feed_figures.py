"""The feed at a moment: stopped, starting, or with its counters."""

import os
from collections.abc import Iterator

import pytest

from tests.support.processes.folders import runtime_folder
from tickflag.common.diagnosis.feed_figures import feed_figures
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.layout import CLOSED, plan
from tickflag.common.segment.segment import Segment
from tickflag.common.settings import Settings


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


def test_a_feed_without_a_segment(runtime: Runtime) -> None:
    """It does not run, or has only begun."""
    assert feed_figures(Settings(), runtime) == ({"state": "stopped"}, 0, {})
    with Role(runtime, "feed"):
        assert feed_figures(Settings(), runtime) == ({"state": "starting", "pid": os.getpid()}, 0, {})


def test_a_feed_with_a_segment(runtime: Runtime) -> None:
    """State, cycles and histograms are those of the segment."""
    with Role(runtime, "feed"), Segment.create(runtime, plan(64, 8, (60,))) as segment:
        segment.publish(runtime)
        segment.arrays.control[CLOSED] = 7
        found = feed_figures(Settings(), runtime)
        assert (found.state["pid"], found.state["symbols"], found.ticker_cycles) == (os.getpid(), 0, 7)
        assert "swap" in found.histograms
