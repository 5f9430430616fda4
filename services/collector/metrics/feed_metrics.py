"""FeedMetrics: the feed's own figures, as its segment tells them. The feed is not asked, and never waits."""

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from tickflag.common.clock import Clock
from tickflag.common.histogram import Counts
from tickflag.common.runtime import Runtime
from tickflag.common.segment.layout import HEARTBEAT, HISTOGRAMS, SYMBOL_COUNT
from tickflag.common.segment.segment import AttachError, Segment
from tickflag.common.settings_schema.feed import STALE_BEATS
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.services.collector.metrics.histograms import histogram_families

COUNTERS = {
    "updates": ("updates", "Ticks and candles applied"),
    "swaps": ("swaps", "Cycles closed, over all channels"),
    "flagged": ("flagged_symbols", "Symbols flagged, over all channels"),
    "deferred": ("deferred_announcements", "Announcements put off by the rate limit"),
    "candles_closed": ("closed_candles", "Candles closed"),
    "late_ticks": ("late_ticks", "Trades and candles that came after their candle had closed"),
    "rejected_updates": ("rejected_updates", "Updates with impossible values"),
    "refused_updates": ("refused_updates", "Updates of symbols for which there is no room"),
    "refused_symbols": ("refused_symbols", "Refusals of a new symbol for which there is no room"),
    "times_backwards": ("backward_times", "Updates whose event time is older than that of the symbol's row"),
    "status_changes": ("status_changes", "Symbols that were delisted, or trade again"),
    "double_trades": ("double_trades", "Trades and candles that came a second time"),
    "impossible_times": ("impossible_times", "Updates whose event time is too far from their receipt"),
}
"""Counter of the segment -> the metric's name without `tickflag_feed_` and `_total`, and its meaning."""

DURATIONS = {
    "swap": "Time that the swaps of a turn took, with their announcement",
    "cycle": "Time from the swaps of a turn to the next",
}
"""Histogram of the segment -> its meaning."""


class Reading(NamedTuple):
    """The figures of a segment at a moment."""

    age_ns: int
    symbols: int
    capacity: int
    nbytes: int
    counters: dict[str, int]
    histograms: dict[str, Counts]


class FeedMetrics:
    """Only reads. A killed feed leaves its segment, whose figures stay as they are; the figures of a new feed begin
    at 0."""

    def __init__(self, runtime: Runtime, heartbeat_ms: float, clock: Clock) -> None:
        """`heartbeat_ms` is the feed's."""
        self._runtime, self._clock = runtime, clock
        self._stale_ns = int(STALE_BEATS * heartbeat_ms * NS_PER_MS)

    def families(self) -> Iterator[Metric]:
        """Every metric with its present samples; without a segment, `tickflag_feed_up` has the only one."""
        reading = self._read()
        up = reading is not None and reading.age_ns <= self._stale_ns
        yield GaugeMetricFamily("tickflag_feed_up", "1 while the feed shows that it lives", up)
        for name, meaning, value in (
            ("heartbeat_age_seconds", "Time since the feed's last sign of life", reading and reading.age_ns / NS_PER_S),
            ("symbols", "Symbols that have a place in the segment", reading and reading.symbols),
            ("symbol_capacity", "Symbols for which the segment has room", reading and reading.capacity),
            ("segment_bytes", "Size of the segment", reading and reading.nbytes),
        ):
            yield GaugeMetricFamily(f"tickflag_feed_{name}", meaning, value)
        for counter, (name, meaning) in COUNTERS.items():
            total = reading and reading.counters[counter]
            yield CounterMetricFamily(f"tickflag_feed_{name}", meaning, total)
        for name, meaning in DURATIONS.items():
            counts: dict[tuple[str, ...], Counts] = {(): reading.histograms[name]} if reading else {}
            yield from histogram_families(f"tickflag_feed_{name}_seconds", meaning, HISTOGRAMS[name], counts)

    def _read(self) -> Reading | None:
        """The figures of the current segment; None where none can be attached."""
        try:
            segment = Segment.attach_current(self._runtime)
        except (AttachError, OSError):  # OSError: descriptors are short
            return None
        with segment:
            living = segment.arrays.living
            return Reading(
                max(0, self._clock.monotonic_ns() - int(living[HEARTBEAT])),
                int(living[SYMBOL_COUNT]),
                segment.layout.capacity,
                segment.nbytes,
                segment.counters(),
                segment.histograms(),
            )
