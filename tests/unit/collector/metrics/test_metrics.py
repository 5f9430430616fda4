"""The metrics of the collector: names, values, and what they never contain."""

import re
from collections.abc import Iterator
from typing import cast

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.documents.markdown import plain, sections
from tests.support.documents.pages import page as document
from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.harnesses.views_harness import ViewsHarness
from tests.support.markets.markets import open_market
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.manual_clock import ManualClock
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.histogram import LATENCY_BOUNDS_NS
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings_schema.collector import RecoveryBlock
from tickflag.common.wire.messages import Delta, Fault, Heartbeat, Roster, RosterEntry, Snapshot
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import NoticeQueue
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.metrics.feed_metrics import FeedMetrics
from tickflag.services.collector.metrics.histograms import LABELLED_PER_PART
from tickflag.services.collector.metrics.metrics import Metrics
from tickflag.services.collector.metrics.page import MetricsPage
from tickflag.services.collector.metrics.server import MetricsServer
from tickflag.services.collector.metrics.signal_latency import SignalLatency
from tickflag.services.collector.recovery.recovery import Recovery

LABELS = {
    "tickflag_build_info": {"version", "python"},
    "tickflag_trader_state": {"trader", "state"},
    "tickflag_trader_circuit_state": {"trader", "circuit", "state"},
    "tickflag_trader_circuit_transitions_total": {"trader", "circuit", "state"},
}
BUCKETS = [0] * 3 + [4, 0, 2] + [0] * (len(LATENCY_BOUNDS_NS) - 5)
"""Four cycles of up to a millisecond, two of up to five."""
ABOUT = {"uptime_s": 12.5, "dropped_messages": 3, "ignored_messages": 4}


class FakeMetricsServer:
    """Stands for the server: takes the pages, and asks for one where `ticket` is a number."""

    def __init__(self) -> None:
        self.ticket: int | None = 1
        self.pages: list[tuple[bytes, int]] = []

    def show(self, page: bytes, ticket: int) -> None:
        self.pages.append((page, ticket))


class MetricsHarness(ViewsHarness):
    """Views with their metrics."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.latency = SignalLatency()
        self.journal = Journal(":memory:")
        limits = RecoveryBlock()  # type: ignore[call-arg] # Field's first argument is the default
        clock, store = ManualClock(0), RecordStore(self.journal)
        log = cast(Logger, RecordedLog())
        self.recovery = Recovery(limits, store, NoticeQueue(clock), self.control, clock, log, lambda *_: ())
        feed = FeedMetrics(runtime, 500.0, clock)
        self.metrics = Metrics(
            self.views, self.journal, self.control, lambda: dict(ABOUT), self.recovery, self.latency, feed
        )

    def hear(self, *messages: Snapshot | Delta | Heartbeat | Roster) -> None:
        for message in messages:
            self.journal.commit(self.views.apply(message, self.now_ns), (), self.control.version)

    def text(self) -> str:
        """The page, completed."""
        server = FakeMetricsServer()
        page = MetricsPage(self.metrics, cast(MetricsServer, server))
        page.step(heartbeat=True)
        while page.busy:
            page.step(heartbeat=False)
        return server.pages[0][0].decode()

    def families(self) -> dict[str, Metric]:
        """The page as Prometheus parses it."""
        return {family.name: family for family in text_string_to_metric_families(self.text())}

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one sample; None where there is none."""
        found = [
            sample.value
            for family in self.families().values()
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        assert len(found) <= 1
        return found[0] if found else None


@pytest.fixture
def harness() -> Iterator[MetricsHarness]:
    with runtime_folder() as runtime, open_market(runtime):
        harness = MetricsHarness(runtime)
        yield harness
        harness.journal.close()


def busy(harness: MetricsHarness) -> None:
    """Report a trader with matches, notes, an owner and an error, and a trader that could not be loaded."""
    trader = FakeTrader()
    trader.matches = {"SYMBOL1": 1.0, "SYMBOL2": 2.0}
    trader.notes = {"SYMBOL1": "noted"}
    heartbeat = trader.heartbeat(
        state="failing", owner="somebody", error="fault of SYMBOL1", matches=2, cpu_ns=1_500_000_000, cost_ns=2_000_000,
        cycles=7, flagged=60, processed=50, skipped=450, bytes_sent=100, bytes_full=900, bytes_wire=80, failures=2,
        fast=5, batched=1, retried=3, gaps=4, cost_sum_ns=13_000_000, cost_buckets=BUCKETS,
    )  # fmt: skip
    skipped = RosterEntry(name="broken", state="skipped", reason="no SYMBOL1", source="/somewhere.py", restarts=6)
    harness.hear(
        trader.snapshot(stale=["SYMBOL2"]),
        heartbeat.model_copy(update={"seq": trader.seq}),
        Roster(pid=1, time_ms=1, traders=[RosterEntry(name="breakout", state="running", restarts=1), skipped]),
    )
    harness.latency.begin(trader.change(SYMBOL3=1.0).model_copy(update={"oldest_ns": 1_000_000}))
    harness.latency.published(4_000_000)


def test_what_prometheus_reads(harness: MetricsHarness) -> None:
    """Every figure of trader and collector has its value, in seconds and bytes."""
    busy(harness)
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in harness.families().values()
        for sample in family.samples
        if sample.name not in ("tickflag_build_info", "tickflag_trader_circuit_state")
        and not sample.name.startswith("tickflag_feed_")
    }
    buckets = {key: found.pop(key) for key in list(found) if key[0].endswith("_bucket")}
    journal_bytes = found.pop(("tickflag_collector_journal_bytes",))
    assert journal_bytes == harness.journal.size_bytes > 0
    assert found == {
        ("tickflag_collector_uptime_seconds",): 12.5,
        ("tickflag_collector_signals_total",): 2,
        ("tickflag_collector_dropped_messages_total",): 3,
        ("tickflag_collector_ignored_messages_total",): 4,
        ("tickflag_collector_state_version",): harness.control.version,
        ("tickflag_trader_state", "failing", "breakout"): 1,
        ("tickflag_trader_state", "skipped", "broken"): 1,
        ("tickflag_trader_restarts_total", "breakout"): 1,
        ("tickflag_trader_restarts_total", "broken"): 6,
        ("tickflag_trader_matches", "breakout"): 2,
        ("tickflag_trader_stale_matches", "breakout"): 1,
        ("tickflag_trader_synced", "breakout"): 1,
        ("tickflag_trader_cycles_total", "breakout"): 7,
        ("tickflag_trader_flagged_symbols_total", "breakout"): 60,
        ("tickflag_trader_processed_symbols_total", "breakout"): 50,
        ("tickflag_trader_skipped_symbols_total", "breakout"): 450,
        ("tickflag_trader_sent_bytes_total", "breakout"): 100,
        ("tickflag_trader_full_bytes_total", "breakout"): 900,
        ("tickflag_trader_wire_bytes_total", "breakout"): 80,
        ("tickflag_trader_failures_total", "breakout"): 2,
        ("tickflag_trader_cpu_seconds_total", "breakout"): 1.5,
        ("tickflag_trader_fast_cycles_total", "breakout"): 5,
        ("tickflag_trader_batched_cycles_total", "breakout"): 1,
        ("tickflag_trader_retried_rows_total", "breakout"): 3,
        ("tickflag_trader_missed_candles_total", "breakout"): 4,
        ("tickflag_trader_cycle_seconds_count", "breakout"): 6,
        ("tickflag_trader_cycle_seconds_sum", "breakout"): 0.013,
        ("tickflag_trader_signal_latency_seconds_count", "breakout"): 1,
        ("tickflag_trader_signal_latency_seconds_sum", "breakout"): 0.003,
    }
    assert len(buckets) == 2 * (len(LATENCY_BOUNDS_NS) + 1)
    cycles = {key[1]: value for key, value in buckets.items() if "cycle" in key[0]}
    assert [cycles[le] for le in ("0.0005", "0.001", "0.002", "0.005", "10.0", "+Inf")] == [0, 4, 4, 6, 6, 6]
    signals = {key[1]: value for key, value in buckets.items() if "signal" in key[0]}
    assert (signals["0.002"], signals["0.005"]) == (0, 1)


def test_names_follow_the_conventions(harness: MetricsHarness) -> None:
    """All begin with `tickflag_` and have a help text; counters, and only they, end in `_total`."""
    busy(harness)
    lines = harness.text().splitlines()
    types = dict(line.split()[2:] for line in lines if line.startswith("# TYPE "))
    helps = {line.split()[2]: line.split(maxsplit=3)[3] for line in lines if line.startswith("# HELP ")}
    assert types.keys() == helps.keys()
    for name, kind in types.items():
        assert re.fullmatch(r"tickflag_[a-z]+(_[a-z]+)*", name)
        assert (kind == "counter") == name.endswith("_total"), name
        assert kind in ("counter", "gauge", "histogram"), name
        assert kind != "histogram" or name.endswith("_seconds")
        assert not re.search(r"_(ns|ms|s|us|kb|mb|percent|count|sum|bucket)(_|$)", name), f"{name}: no base unit"
        assert helps[name]
    assert len([line for line in lines if line.startswith("# TYPE ")]) == len(types), "a metric stands there twice"


def test_no_symbol_and_no_owner_is_told(harness: MetricsHarness) -> None:
    """Labels are the names of traders, states and versions: nothing without a bound."""
    busy(harness)
    text = harness.text()
    assert not re.search("SYMBOL|somebody|noted|somewhere", text)
    for family in harness.families().values():
        for sample in family.samples:
            expected = {"trader"} if sample.name.startswith("tickflag_trader_") else set()
            if sample.name.endswith("_bucket"):
                expected = {*expected, "le"}
            assert sample.labels.keys() == LABELS.get(sample.name, expected)


def test_circuits_have_a_state_and_their_changes(harness: MetricsHarness) -> None:
    """A circuit is closed from the start; a trader that fails too often shows in both metrics."""
    harness.hear(FakeTrader().snapshot())
    state = {"trader": "breakout", "circuit": "plugin"}
    assert harness.value("tickflag_trader_circuit_state", **state, state="closed") == 1
    for cycle in range(5):
        fault = Fault(trader="breakout", incarnation=1, cycle=cycle, time_ms=1, what="raise", text="x")
        harness.recovery.apply_fault(fault)
    assert harness.value("tickflag_trader_circuit_state", **state, state="closed") is None
    assert harness.value("tickflag_trader_circuit_state", **state, state="half-open") == 1
    assert harness.value("tickflag_trader_circuit_transitions_total", **state, state="half-open") == 1


def test_a_name_cannot_break_the_page(harness: MetricsHarness) -> None:
    """A trader's name may contain the format's own characters."""
    trader = FakeTrader(name='a"b\\c\nd{}')
    harness.hear(trader.snapshot())
    assert harness.value("tickflag_trader_matches", trader=trader.name) == 0


def test_nothing_is_told_before_it_was_heard(harness: MetricsHarness) -> None:
    """A trader known from a former life of the collector has matches and a state, and no counters: a 0 would look like
    a reset.

    Its first result brings some of the counters.
    """
    harness.hear(roster("breakout"))
    assert harness.value("tickflag_trader_state", trader="breakout", state="waiting") == 1
    assert harness.value("tickflag_trader_cycles_total", trader="breakout") is None
    trader = FakeTrader()
    harness.hear(trader.snapshot())
    assert harness.value("tickflag_trader_cycles_total", trader="breakout") == 0
    assert harness.value("tickflag_trader_failures_total", trader="breakout") is None
    harness.hear(trader.heartbeat())
    assert harness.value("tickflag_trader_cycle_seconds_count", trader="breakout") is None  # of an older worker
    harness.hear(trader.heartbeat(cost_buckets=BUCKETS))
    assert harness.value("tickflag_trader_cycle_seconds_count", trader="breakout") == 6
    assert harness.value("tickflag_trader_failures_total", trader="breakout") == 0


def test_the_matches_of_a_silent_trader_are_stale(harness: MetricsHarness) -> None:
    """All matches are stale, and the trader's state says so."""
    busy(harness)
    harness.pass_time(60_000_000_000)
    assert harness.value("tickflag_trader_stale_matches", trader="breakout") == 2
    assert harness.value("tickflag_trader_state", trader="breakout", state="stale") == 1


def test_a_page_is_made_at_a_heartbeat_when_one_is_wanted(harness: MetricsHarness) -> None:
    """Else a step does nothing. The page answers those who had asked when it was begun."""
    server = FakeMetricsServer()
    page = MetricsPage(harness.metrics, cast(MetricsServer, server))

    def begins(heartbeat: bool, ticket: int | None) -> bool:
        server.ticket = ticket
        page.step(heartbeat)
        return page.busy

    assert not begins(heartbeat=False, ticket=4)
    assert not begins(heartbeat=True, ticket=None)
    assert begins(heartbeat=True, ticket=5)
    while begins(heartbeat=True, ticket=6):
        assert not server.pages
    assert [ticket for _, ticket in server.pages] == [5]
    assert begins(heartbeat=True, ticket=6)


def test_a_page_is_made_in_parts(harness: MetricsHarness) -> None:
    """A step makes one metric, or a part of a histogram: what comes meanwhile waits for that one only, and may change
    what follows."""
    server = FakeMetricsServer()
    page = MetricsPage(harness.metrics, cast(MetricsServer, server))
    steps = 0
    page.step(heartbeat=True)
    while page.busy:
        trader = FakeTrader(name=f"trader-{steps}")
        harness.hear(trader.snapshot(), trader.heartbeat(cost_buckets=BUCKETS))
        page.step(heartbeat=False)
        steps += 1
    text = server.pages[0][0].decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    traders = {sample.labels["trader"] for sample in families["tickflag_trader_cycle_seconds"].samples}
    assert len(traders) > 2 * LABELLED_PER_PART
    more_parts = (len(traders) - 1) // LABELLED_PER_PART
    assert steps == len(families) + more_parts
    assert text.count("# TYPE ") == text.count("# HELP ") == len(families)


def test_the_metrics_page_lists_every_metric(harness: MetricsHarness) -> None:
    """Each metric has its type and labels, in the order of the page that is served, and a word on what it means, what
    is normal, and what to do."""
    busy(harness)
    rows = [row for part in sections(document("metrics.md")) for row in part.rows if "Metric" in row]
    listed = [(plain(row["Metric"]), row["Type"], plain(row["Labels"])) for row in rows]
    served = [
        (line.split()[2], line.split()[3], ", ".join(_labels(line.split()[2])))
        for line in harness.text().splitlines()
        if line.startswith("# TYPE ")
    ]
    assert listed == served
    for row in rows:
        assert row["Means"], row
        assert row["Normal"], row
        assert row["Otherwise"], row


def test_the_metrics_page_has_the_buckets(harness: MetricsHarness) -> None:
    """Of each histogram, in seconds."""
    busy(harness)
    rows = [row for part in sections(document("metrics.md")) for row in part.rows if "Buckets up to" in row]
    families = [family for family in harness.families().values() if family.type == "histogram"]
    assert [plain(row["Histogram"]) for row in rows] == [family.name for family in families]
    for row, family in zip(rows, families, strict=True):
        bounds = [float(sample.labels["le"]) for sample in family.samples if sample.name.endswith("_bucket")]
        assert [float(bound) for bound in row["Buckets up to"].split(", ")] == bounds[:-1]


def _labels(name: str) -> list[str]:
    if name in LABELS:
        return [label for label in ("trader", "circuit", "state", "version", "python") if label in LABELS[name]]
    return ["trader"] if name.startswith("tickflag_trader_") else []
