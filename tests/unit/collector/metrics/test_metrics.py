"""The metrics of the collector: names, values, and what is never told."""

import re
from collections.abc import Iterator
from typing import cast

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from common.blocks import RecoveryBlock
from common.clock import ReplayClock
from common.log import Logger
from common.messages import Delta, Fault, Heartbeat, Roster, RosterEntry, Snapshot
from services.collector.journal import Journal
from services.collector.metrics import Metrics, MetricsPage
from services.collector.metrics_server import MetricsServer
from services.collector.records import Records
from services.collector.recoverydesk import RecoveryDesk
from tests.support.desk import Desk
from tests.support.fake_trader import FakeTrader, roster
from tests.support.markdown import plain, section
from tests.support.pages import page as document
from tests.support.recorded_log import RecordedLog

LABELS = {
    "tickflag_build_info": {"version", "python"},
    "tickflag_trader_state": {"trader", "state"},
    "tickflag_trader_circuit_state": {"trader", "circuit", "state"},
    "tickflag_trader_circuit_transitions_total": {"trader", "circuit", "state"},
}
ABOUT = {"uptime_s": 12.5, "dropped_messages": 3, "ignored_messages": 4}


class Shown:
    """Stands for the server: takes the pages, and asks for one where `ticket` is a number."""

    def __init__(self) -> None:
        self.ticket: int | None = 1
        self.pages: list[tuple[bytes, int]] = []

    def show(self, page: bytes, ticket: int) -> None:
        self.pages.append((page, ticket))


class Table(Desk):
    """A desk with its metrics."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal(":memory:")
        limits = RecoveryBlock()  # type: ignore[call-arg] # Field's first argument is the default
        self.recovery = RecoveryDesk(
            limits, Records(self.journal), self.control, ReplayClock(0), cast(Logger, RecordedLog()), lambda *_: ()
        )
        self.metrics = Metrics(self.views, self.journal, self.control, lambda: dict(ABOUT), self.recovery)

    def hear(self, *messages: Snapshot | Delta | Heartbeat | Roster) -> None:
        for message in messages:
            self.journal.commit(self.views.apply(message, self.now_ns), (), self.control.version)

    def text(self) -> str:
        """The page, made to its end."""
        shown = Shown()
        page = MetricsPage(self.metrics, cast(MetricsServer, shown))
        page.turn(heartbeat=True)
        while page.busy:
            page.turn(heartbeat=False)
        return shown.pages[0][0].decode()

    def families(self) -> dict[str, Metric]:
        """The page as Prometheus reads it."""
        return {family.name: family for family in text_string_to_metric_families(self.text())}

    def value(self, name: str, **labels: str) -> float | None:
        """That of one sample; None where there is none."""
        found = [
            sample.value
            for family in self.families().values()
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        assert len(found) <= 1
        return found[0] if found else None


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table()
    yield table
    table.journal.close()


def busy(table: Table) -> None:
    """A trader with matches, notes, an owner and an error, and one that could not be loaded."""
    trader = FakeTrader()
    trader.matches = {"SYMBOL1": 1.0, "SYMBOL2": 2.0}
    trader.notes = {"SYMBOL1": "noted"}
    heartbeat = trader.heartbeat(
        state="failing", owner="somebody", error="fault of SYMBOL1", matches=2, cpu_ns=1_500_000_000, cost_ns=2_000_000,
        cycles=7, flagged=60, processed=50, skipped=450, bytes_sent=100, bytes_full=900, bytes_wire=80, failures=2,
        fast=5, batched=1, retried=3, gaps=4,
    )  # fmt: skip
    skipped = RosterEntry(name="broken", state="skipped", reason="no SYMBOL1", source="/somewhere.py", restarts=6)
    table.hear(
        trader.snapshot(stale=["SYMBOL2"]),
        heartbeat.model_copy(update={"seq": trader.seq}),
        Roster(pid=1, time_ms=1, traders=[RosterEntry(name="breakout", state="running", restarts=1), skipped]),
    )


def test_what_prometheus_reads(table: Table) -> None:
    """Every figure of trader and collector has its value, in seconds and bytes."""
    busy(table)
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in table.families().values()
        for sample in family.samples
        if sample.name not in ("tickflag_build_info", "tickflag_trader_circuit_state")
    }
    journal_bytes = found.pop(("tickflag_collector_journal_bytes",))
    assert journal_bytes == table.journal.size_bytes > 0
    assert found == {
        ("tickflag_collector_uptime_seconds",): 12.5,
        ("tickflag_collector_signals_total",): 2,
        ("tickflag_collector_dropped_messages_total",): 3,
        ("tickflag_collector_ignored_messages_total",): 4,
        ("tickflag_collector_state_version",): table.control.version,
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
        ("tickflag_trader_cycle_seconds", "breakout"): 0.002,
    }


def test_names_follow_the_conventions(table: Table) -> None:
    """All begin with `tickflag_`, have a help text, and end in `_total` where and only where they are counters."""
    busy(table)
    lines = table.text().splitlines()
    types = dict(line.split()[2:] for line in lines if line.startswith("# TYPE "))
    helps = {line.split()[2]: line.split(maxsplit=3)[3] for line in lines if line.startswith("# HELP ")}
    assert types.keys() == helps.keys()
    for name, kind in types.items():
        assert re.fullmatch(r"tickflag_[a-z]+(_[a-z]+)*", name)
        assert (kind == "counter") == name.endswith("_total"), name
        assert kind in ("counter", "gauge"), name
        assert not re.search(r"_(ns|ms|s|us|kb|mb|percent|count|sum|bucket)(_|$)", name), f"{name}: no base unit"
        assert helps[name]
    assert len([line for line in lines if line.startswith("# TYPE ")]) == len(types), "a metric stands there twice"


def test_no_symbol_and_no_owner_is_told(table: Table) -> None:
    """Nor anything else that has no bound: labels are the names of traders, states and versions."""
    busy(table)
    text = table.text()
    assert not re.search("SYMBOL|somebody|noted|somewhere", text)
    for family in table.families().values():
        for sample in family.samples:
            expected = {"trader"} if sample.name.startswith("tickflag_trader_") else set()
            assert sample.labels.keys() == LABELS.get(sample.name, expected)


def test_circuits_have_a_state_and_their_changes(table: Table) -> None:
    """Closed from the start; a trader that fails too often shows in both."""
    table.hear(FakeTrader().snapshot())
    state = {"trader": "breakout", "circuit": "plugin"}
    assert table.value("tickflag_trader_circuit_state", **state, state="closed") == 1
    for cycle in range(5):
        fault = Fault(trader="breakout", incarnation=1, cycle=cycle, time_ms=1, what="raise", text="x")
        table.recovery.fault(fault)
    assert table.value("tickflag_trader_circuit_state", **state, state="closed") is None
    assert table.value("tickflag_trader_circuit_state", **state, state="half-open") == 1
    assert table.value("tickflag_trader_circuit_transitions_total", **state, state="half-open") == 1


def test_a_name_cannot_break_the_page(table: Table) -> None:
    """A trader's name may hold what the format uses for itself."""
    trader = FakeTrader(name='a"b\\c\nd{}')
    table.hear(trader.snapshot())
    assert table.value("tickflag_trader_matches", trader=trader.name) == 0


def test_nothing_is_told_before_it_was_heard(table: Table) -> None:
    """A trader of a former life has matches and a state, and no counters; a first result brings some of them. A 0
    would be a reset."""
    table.hear(roster("breakout"))
    assert table.value("tickflag_trader_state", trader="breakout", state="waiting") == 1
    assert table.value("tickflag_trader_cycles_total", trader="breakout") is None
    trader = FakeTrader()
    table.hear(trader.snapshot())
    assert table.value("tickflag_trader_cycles_total", trader="breakout") == 0
    assert table.value("tickflag_trader_failures_total", trader="breakout") is None
    assert table.value("tickflag_trader_cycle_seconds", trader="breakout") is None
    table.hear(trader.heartbeat())
    assert table.value("tickflag_trader_failures_total", trader="breakout") == 0


def test_the_matches_of_a_silent_trader_are_stale(table: Table) -> None:
    """All of them, and its state says so."""
    busy(table)
    table.pass_time(60_000_000_000)
    assert table.value("tickflag_trader_stale_matches", trader="breakout") == 2
    assert table.value("tickflag_trader_state", trader="breakout", state="stale") == 1


def test_a_page_is_made_at_a_heartbeat_when_one_is_wanted(table: Table) -> None:
    """Else a turn does nothing. The page answers those who had asked when it was begun."""
    shown = Shown()
    page = MetricsPage(table.metrics, cast(MetricsServer, shown))

    def begins(heartbeat: bool, ticket: int | None) -> bool:
        shown.ticket = ticket
        page.turn(heartbeat)
        return page.busy

    assert not begins(heartbeat=False, ticket=4)
    assert not begins(heartbeat=True, ticket=None)
    assert begins(heartbeat=True, ticket=5)
    while begins(heartbeat=True, ticket=6):
        assert not shown.pages
    assert [ticket for _, ticket in shown.pages] == [5]
    assert begins(heartbeat=True, ticket=6)


def test_a_page_is_made_in_parts(table: Table) -> None:
    """A turn makes one metric: what comes meanwhile waits for that one only, and may change what follows."""
    shown = Shown()
    page = MetricsPage(table.metrics, cast(MetricsServer, shown))
    turns = 0
    page.turn(heartbeat=True)
    while page.busy:
        table.hear(FakeTrader(name=f"trader-{turns}").snapshot())
        page.turn(heartbeat=False)
        turns += 1
    families = list(text_string_to_metric_families(shown.pages[0][0].decode()))
    assert turns == len(families)


def test_the_operations_page_lists_every_metric(table: Table) -> None:
    """With its type and labels, in the order of the page that is served."""
    busy(table)
    rows = section(document("operations.md"), "Metrics").rows
    listed = [(plain(row["Metric"]), row["Type"], plain(row["Labels"])) for row in rows if "Metric" in row]
    served = [
        (line.split()[2], line.split()[3], ", ".join(_labels(line.split()[2])))
        for line in table.text().splitlines()
        if line.startswith("# TYPE ")
    ]
    assert listed == served


def _labels(name: str) -> list[str]:
    if name in LABELS:
        return [label for label in ("trader", "circuit", "state", "version", "python") if label in LABELS[name]]
    return ["trader"] if name.startswith("tickflag_trader_") else []
