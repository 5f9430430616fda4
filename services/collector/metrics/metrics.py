"""Metrics: what the collector knows, as Prometheus metrics.

Units are base units; the names of counters end in `_total`. Labels are names of traders, states and versions. Symbols
and owners are never labels, as their number has no bound. A trader's counters run since the start of its incarnation
and begin at 0 with the next one, which Prometheus takes for a reset. A counter is left out until the trader has
told it: Prometheus would take a 0 in between for a reset too, and would count everything before it twice.

Each kind of duration has one histogram, whose buckets can be summed over traders and engines; quantiles cannot.
"""

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from tickflag.common.histogram import LATENCY_BOUNDS_NS, Counts
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.messages import Heartbeat
from tickflag.services.collector.commands import trader_state
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.metrics.feed_metrics import FeedMetrics
from tickflag.services.collector.metrics.histograms import histogram_families
from tickflag.services.collector.metrics.signal_latency import SignalLatency
from tickflag.services.collector.recovery.recovery import Recovery
from tickflag.services.collector.views.views import Views


class Figure(NamedTuple):
    """A counter of a trader: `field` of its messages, divided by `per`."""

    name: str
    field: str
    meaning: str
    per: int = 1


PROGRESS = (
    Figure("tickflag_trader_cycles", "cycles", "Cycles of the trader"),
    Figure("tickflag_trader_flagged_symbols", "flagged", "Symbols that were flagged for it"),
    Figure("tickflag_trader_processed_symbols", "processed", "Symbols that it evaluated"),
    Figure("tickflag_trader_skipped_symbols", "skipped", "Symbols that it did not have to evaluate"),
    Figure("tickflag_trader_sent_bytes", "bytes_sent", "Bytes of its results, before compression"),
    Figure("tickflag_trader_full_bytes", "bytes_full", "Bytes that full results would have taken"),
)
HEARTBEAT = (
    Figure("tickflag_trader_wire_bytes", "bytes_wire", "Bytes of its results as sent, after compression"),
    Figure("tickflag_trader_failures", "failures", "Cycles that failed"),
    Figure("tickflag_trader_cpu_seconds", "cpu_ns", "Processor time of its worker", NS_PER_S),
    Figure("tickflag_trader_fast_cycles", "fast", "Cycles by flags; the others compared versions"),
    Figure("tickflag_trader_batched_cycles", "batched", "Cycles that were cut into chunks"),
    Figure("tickflag_trader_retried_rows", "retried", "Rows that stayed locked and were read again"),
    Figure("tickflag_trader_missed_candles", "gaps", "Closed candles for which it came too late"),
)


class Metrics:
    """Only reads. For the collector's thread."""

    def __init__(
        self,
        views: Views,
        journal: Journal,
        control: ControlState,
        about: Callable[[], dict[str, Any]],
        recovery: Recovery,
        latency: SignalLatency,
        feed: FeedMetrics,
    ) -> None:
        """`about` gives the part of the answer to `status` that is about the collector."""
        self._views = views
        self._journal = journal
        self._control = control
        self._about = about
        self._recovery = recovery
        self._latency = latency
        self._feed = feed

    def families(self) -> Iterator[Metric]:
        """Every metric with its present samples. A histogram of many traders comes in several parts."""
        yield from self._collector()
        yield from self._feed.families()
        yield from self._states()
        yield from self._counters()
        yield from self._circuits()

    def _collector(self) -> Iterator[Metric]:
        about = self._about()
        build = GaugeMetricFamily("tickflag_build_info", "Versions; the value is 1", labels=["version", "python"])
        build.add_metric([_version(), platform.python_version()], 1)
        yield build
        yield GaugeMetricFamily(
            "tickflag_collector_uptime_seconds", "Time since the collector was started", about["uptime_s"]
        )
        yield CounterMetricFamily(
            "tickflag_collector_signals", "Signals that the journal ever took", self._journal.last_seq
        )
        yield CounterMetricFamily(
            "tickflag_collector_dropped_messages", "Frames that were no valid message", about["dropped_messages"]
        )
        yield CounterMetricFamily(
            "tickflag_collector_ignored_messages", "Messages of a past incarnation", about["ignored_messages"]
        )
        yield GaugeMetricFamily(
            "tickflag_collector_journal_bytes", "Size of the journal's database", self._journal.size_bytes
        )
        yield GaugeMetricFamily(
            "tickflag_collector_state_version", "Version of the control state", self._control.version
        )

    def _states(self) -> Iterator[Metric]:
        records, roster = self._views.records, self._views.roster
        state = GaugeMetricFamily(
            "tickflag_trader_state", "1 for the state that the trader is in", labels=["trader", "state"]
        )
        for name in self._views.names():
            state.add_metric([name, trader_state(records.get(name), roster.get(name))], 1)
        yield state
        restarts = CounterMetricFamily(
            "tickflag_trader_restarts", "Restarts of its worker since the supervisor began", labels=["trader"]
        )
        for name, entry in roster.items():
            restarts.add_metric([name], entry.restarts)
        yield restarts
        matches = GaugeMetricFamily("tickflag_trader_matches", "Symbols that match its rule", labels=["trader"])
        for name, one in records.items():
            matches.add_metric([name], len(one.view.matches))
        yield matches
        stale = GaugeMetricFamily(
            "tickflag_trader_stale_matches",
            "Those whose trader is silent, or whose symbol has no data in this generation",
            labels=["trader"],
        )
        for name, one in records.items():
            stale.add_metric([name], len(one.view.matches if one.stale else one.view.stale_symbols))
        yield stale
        synced = GaugeMetricFamily(
            "tickflag_trader_synced", "1 where the collector has all of its results", labels=["trader"]
        )
        for name, one in records.items():
            synced.add_metric([name], one.view.synced)
        yield synced

    def _counters(self) -> Iterator[Metric]:
        records = self._views.records
        for figure in PROGRESS:
            yield _counter(figure, {name: one.progress for name, one in records.items()})
        for figure in HEARTBEAT:
            yield _counter(figure, {name: one.heartbeat for name, one in records.items()})
        yield from histogram_families(
            "tickflag_trader_cycle_seconds", "Time that its cycles took", LATENCY_BOUNDS_NS,
            {(name,): _cost(one.heartbeat) for name, one in records.items() if one.heartbeat is not None},
        )  # fmt: skip
        yield from histogram_families(
            "tickflag_trader_signal_latency_seconds",
            "Time from the oldest tick that a result covers until its signals were published",
            LATENCY_BOUNDS_NS,
            {(name,): counts for name, counts in self._latency.counts().items()},
        )

    def _circuits(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "tickflag_trader_circuit_state",
            "1 for the state that the circuit is in",
            labels=["trader", "circuit", "state"],
        )
        for name in self._views.names():
            for circuit, now in self._recovery.states(name).items():
                state.add_metric([name, circuit, now], 1)
        yield state
        entered = CounterMetricFamily(
            "tickflag_trader_circuit_transitions",
            "How often the circuit came into the state since the collector was started",
            labels=["trader", "circuit", "state"],
        )
        for labels, count in self._recovery.transitions.items():
            entered.add_metric(list(labels), count)
        yield entered


def _counter(figure: Figure, messages: dict[str, Any]) -> Metric:
    counter = CounterMetricFamily(figure.name, figure.meaning, labels=["trader"])
    for name, message in messages.items():
        if message is not None:
            counter.add_metric([name], getattr(message, figure.field) / figure.per)
    return counter


def _cost(heartbeat: Heartbeat) -> Counts:
    return Counts(heartbeat.cost_sum_ns, heartbeat.cost_buckets)


def _version() -> str:
    try:
        return version("tickflag")
    except PackageNotFoundError:  # run from its sources
        return ""
