"""Metrics: what the collector knows, as Prometheus metrics, and the page that holds them.

Base units; counters end in `_total`. Labels are names of traders, states and versions, never symbols or owners: their
number would have no bound. A trader's counters run since the start of its incarnation and begin at 0 with the next
one, which is what Prometheus takes for a reset. Nothing is told before it was heard: a 0 in between would be taken for
one as well, and all that came before it would count twice.
"""

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.collector.commands import trader_state
from services.collector.control import ControlState
from services.collector.journal import Journal
from services.collector.metrics_server import MetricsServer
from services.collector.recoverydesk import RecoveryDesk
from services.collector.views import Views

NS_PER_S = 1_000_000_000


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
    """Reads, and changes nothing. One thread, that of the collector."""

    def __init__(
        self,
        views: Views,
        journal: Journal,
        control: ControlState,
        about: Callable[[], dict[str, Any]],
        recovery: RecoveryDesk,
    ) -> None:
        """`about` gives what the request `status` tells of the collector itself."""
        self._views = views
        self._journal = journal
        self._control = control
        self._about = about
        self._recovery = recovery

    def families(self) -> Iterator[Metric]:
        """Every metric with its samples as of now. A further group of them is one more method here."""
        yield from self._collector()
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
        known, roster = self._views.known, self._views.roster
        state = GaugeMetricFamily(
            "tickflag_trader_state", "1 for the state that the trader is in", labels=["trader", "state"]
        )
        for name in self._views.names():
            state.add_metric([name, trader_state(known.get(name), roster.get(name))], 1)
        yield state
        restarts = CounterMetricFamily(
            "tickflag_trader_restarts", "Restarts of its worker since the supervisor began", labels=["trader"]
        )
        for name, entry in roster.items():
            restarts.add_metric([name], entry.restarts)
        yield restarts
        matches = GaugeMetricFamily("tickflag_trader_matches", "Symbols that match its rule", labels=["trader"])
        for name, one in known.items():
            matches.add_metric([name], len(one.view.matches))
        yield matches
        stale = GaugeMetricFamily(
            "tickflag_trader_stale_matches",
            "Those whose trader is silent, or whose symbol has no data in this generation",
            labels=["trader"],
        )
        for name, one in known.items():
            stale.add_metric([name], len(one.view.matches if one.stale else one.view.stale_symbols))
        yield stale
        synced = GaugeMetricFamily(
            "tickflag_trader_synced", "1 where the collector has all of its results", labels=["trader"]
        )
        for name, one in known.items():
            synced.add_metric([name], one.view.synced)
        yield synced

    def _counters(self) -> Iterator[Metric]:
        known = self._views.known
        for figure in PROGRESS:
            yield _counter(figure, {name: one.progress for name, one in known.items()})
        for figure in HEARTBEAT:
            yield _counter(figure, {name: one.heartbeat for name, one in known.items()})
        cost = GaugeMetricFamily(
            "tickflag_trader_cycle_seconds", "Time that 95 % of the last 100 cycles took at most", labels=["trader"]
        )
        for name, one in known.items():
            if one.heartbeat is not None:
                cost.add_metric([name], one.heartbeat.cost_ns / NS_PER_S)
        yield cost

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


class MetricsPage:
    """Makes the page when the server was asked for it: at a heartbeat, one metric a turn. One thread.

    The page of 50 traders takes some ten milliseconds. A result that comes meanwhile waits for one metric only, and
    where nobody asks, nothing is made.
    """

    def __init__(self, metrics: Metrics, server: MetricsServer) -> None:
        self._metrics = metrics
        self._server = server
        self._families: Iterator[Metric] | None = None
        self._parts: list[bytes] = []
        self._ticket = 0

    @property
    def busy(self) -> bool:
        """A page was begun."""
        return self._families is not None

    def turn(self, heartbeat: bool) -> None:
        """Do a part of what there is to do; never waits."""
        if self._families is None:
            ticket = self._server.ticket
            if not heartbeat or ticket is None:
                return
            self._ticket, self._parts, self._families = ticket, [], self._metrics.families()
        family = next(self._families, None)
        if family is not None:
            self._parts.append(generate_latest(_Only(family)))
            return
        self._families = None
        self._server.show(b"".join(self._parts), self._ticket)


class _Only(Collector):
    """A registry of one metric."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def _counter(figure: Figure, messages: dict[str, Any]) -> Metric:
    counter = CounterMetricFamily(figure.name, figure.meaning, labels=["trader"])
    for name, message in messages.items():
        if message is not None:
            counter.add_metric([name], getattr(message, figure.field) / figure.per)
    return counter


def _version() -> str:
    try:
        return version("tickflag")
    except PackageNotFoundError:  # run from its sources
        return ""
