"""The metrics of the feed: read from its segment, whatever state that is in."""

import os
from collections.abc import Iterator

import pytest
from prometheus_client.samples import Sample

from tests.support.markets.markets import NOON, open_market, tick_batch
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.manual_clock import ManualClock
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.services.collector.metrics import feed_metrics
from tickflag.services.collector.metrics.feed_metrics import FeedMetrics
from tickflag.services.feed.swap_times import SwapTimes

S_NS = 1_000_000_000


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


def _samples(runtime: Runtime, now_ns: int = 0) -> dict[str, float]:
    """Sample -> value; a bucket as `name le`."""
    metrics = FeedMetrics(runtime, 500.0, ManualClock(now_ns))
    return {_name(sample): sample.value for family in metrics.families() for sample in family.samples}


def _name(sample: Sample) -> str:
    return " ".join((sample.name, *sample.labels.values())).removeprefix("tickflag_feed_")


def test_every_counter_of_the_segment_is_a_metric() -> None:
    """A counter that is added gets a name here."""
    assert feed_metrics.COUNTERS.keys() == set(layout.COUNTERS)
    assert feed_metrics.DURATIONS.keys() == layout.HISTOGRAMS.keys()


def test_the_figures_are_those_of_the_segment(runtime: Runtime) -> None:
    """Each has its own word, and times are in seconds."""
    with open_market(runtime, capacity=40, symbols=3) as market:
        living = market.segment.arrays.living
        for number, word in enumerate(layout.COUNTER.values()):
            living[word] = 100 + number
        times = SwapTimes()
        times.add(1 * S_NS, 1 * S_NS + 20_000)
        times.add(3 * S_NS, 3 * S_NS + 30_000)
        times.write(market.segment)
        market.beat(10 * S_NS)
        found = _samples(runtime, 11 * S_NS)
    for number, counter in enumerate(layout.COUNTERS):
        assert found[f"{feed_metrics.COUNTERS[counter][0]}_total"] == 100 + number
    assert (found["up"], found["heartbeat_age_seconds"]) == (1, 1.0)
    assert (found["symbols"], found["symbol_capacity"]) == (3, 40)
    assert found["segment_bytes"] == market.segment.nbytes
    assert (found["swap_seconds_count"], found["swap_seconds_sum"]) == (2, 50e-6)
    assert (found["swap_seconds_bucket 1e-05"], found["swap_seconds_bucket 2.5e-05"]) == (0, 1)
    assert found["swap_seconds_bucket +Inf"] == 2
    assert (found["cycle_seconds_count"], found["cycle_seconds_sum"]) == (1, 2.0)


def test_a_counter_follows_the_market(runtime: Runtime) -> None:
    """What the writer counts is what the page shows."""
    with open_market(runtime, symbols=2) as market:
        market.apply(tick_batch([0, 1], [1.0, -1.0], NOON), 1)
        market.swap(lambda _: None, 2)
        found = _samples(runtime)
    assert (found["updates_total"], found["rejected_updates_total"], found["flagged_symbols_total"]) == (1, 1, 1)
    assert found["swaps_total"] == 1


def test_a_silent_feed_is_not_up(runtime: Runtime) -> None:
    """After three heartbeats; its figures stay."""
    with open_market(runtime) as market:
        market.beat(S_NS)
        assert _samples(runtime, S_NS + 3 * 500_000_000)["up"] == 1
        found = _samples(runtime, S_NS + 3 * 500_000_000 + 1)
    assert (found["up"], found["updates_total"]) == (0, 0)


def test_without_a_segment_it_is_only_told_that_there_is_none(runtime: Runtime) -> None:
    """A 0 of a counter would look like a reset."""
    assert _samples(runtime) == {"up": 0}


def test_a_segment_that_cannot_be_read_harms_nothing(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is damaged, or descriptors are short."""
    with open_market(runtime) as market:
        with market.segment.path.open("r+b") as file:
            file.write(b"\xff" * 64)
        assert _samples(runtime) == {"up": 0}

    def short(*_: object) -> int:
        raise OSError(24, "Too many open files")

    with open_market(runtime):
        monkeypatch.setattr(os, "open", short)
        assert _samples(runtime) == {"up": 0}
