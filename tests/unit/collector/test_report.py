"""The lines of the log, and that nobody can flood it."""

from typing import Any, cast

import pytest

from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.log import Logger, configure
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.report import AGAIN_NS, PERIOD_NS, Report
from tickflag.services.collector.views.trader_record import TraderChange
from tickflag.services.collector.views.views import Views


class ReportHarness:
    """A report over views, with the lines that it wrote."""

    def __init__(self) -> None:
        self.views = Views(ControlState().resync, 5 * PERIOD_NS)
        self.log = RecordedLog()
        self.report = Report(cast(Logger, self.log), self.views, now_ns=0)

    def take(self, *messages: Any) -> None:
        for message in messages:
            self.report.add_signals(self.views.apply(message, 0))


@pytest.fixture
def harness() -> ReportHarness:
    return ReportHarness()


def test_matches_line_once_a_period_and_only_after_changes(harness: ReportHarness) -> None:
    """The line has the total, and what entered and left since the last line, for each trader."""
    trader = FakeTrader("breakout")
    trader.matches = {"A": 1.0, "B": 1.0}
    harness.take(trader.snapshot(), trader.change(C=1.0), trader.change(A=None))
    harness.report.write(PERIOD_NS - 1)
    assert harness.log.lines == []
    harness.report.write(PERIOD_NS)
    assert harness.log.lines == [("info", "matches", {"breakout": "2 (+3 -1)"})]
    harness.take(trader.change(B=None))
    harness.report.write(2 * PERIOD_NS)
    harness.report.write(3 * PERIOD_NS)
    assert harness.log.lines[1:] == [("info", "matches", {"breakout": "1 (-1)"})]


def test_warnings_are_limited_per_trader_and_kind(harness: ReportHarness) -> None:
    """The first warning of a period comes at once, the others as a count."""
    changes = [TraderChange("a", "gap", "x"), TraderChange("b", "gap", "y"), TraderChange("a", "synced")] * 50
    harness.report.add_changes(changes)
    assert harness.log.lines == [
        ("warning", "gap, resync wanted", {"trader": "a", "reason": "x"}),
        ("warning", "gap, resync wanted", {"trader": "b", "reason": "y"}),
        ("info", "resynced", {"trader": "a"}),
    ]
    harness.report.write(PERIOD_NS)
    assert harness.log.lines[3:] == [("warning", "more of the same", {"count": 147})]
    harness.report.add_changes(changes[:1])
    assert len(harness.log.lines) == 5


def test_a_trader_that_fails_is_told_once_and_when_it_works_again(harness: ReportHarness) -> None:
    """An error that is repeated is one warning; another error is news once a minute; the end of the failing is one
    line."""
    trader = FakeTrader("dip")

    def hear(second: int, state: str, error: str = "") -> None:
        harness.views.apply(trader.heartbeat(state, error=error), second * PERIOD_NS)
        harness.report.add_changes(
            change for change in harness.views.drain_changes() if change.what in ("failing", "works")
        )
        harness.report.write(second * PERIOD_NS)

    hear(0, "running")
    assert harness.log.lines == []
    for second in range(1, 5):
        hear(second, "failing", "no (line 7)")
    hear(5, "waiting")
    hear(6, "failing", "no, 6")
    begun = ("warning", "trader failing", {"trader": "dip", "reason": "no (line 7)"})
    assert harness.log.lines == [begun]
    hear(61, "failing", "no, 61")
    assert harness.log.lines[1:] == [("warning", "trader failing", {"trader": "dip", "reason": "no, 61"})]
    hear(62, "running")
    hear(63, "running")
    assert harness.log.lines[2:] == [("info", "trader works again", {"trader": "dip"})]
    hear(64, "failing", "no (line 7)")
    assert harness.log.lines[3:] == [begun]


def test_dropped_messages_are_one_line_a_period(harness: ReportHarness) -> None:
    """The line has the count and the last reason."""
    for n in range(1_000):
        harness.report.add_dropped(f"reason {n}")
    harness.report.write(PERIOD_NS)
    assert harness.log.lines == [("warning", "dropped messages", {"count": 1_000, "last": "reason 999"})]


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("name", ["event", "self", "exc_info", "exception", "level", "a b\nc"])
def test_any_trader_name_can_be_logged(name: str, style: str) -> None:
    """A name that the log uses for itself does not crash it."""
    harness = ReportHarness()
    trader = FakeTrader(name)
    trader.matches = {"A": 1.0}
    report = Report(configure("collector", style=style), harness.views, now_ns=0)
    report.add_signals(harness.views.apply(trader.snapshot(), 0))
    report.write(PERIOD_NS)


def test_what_hinders_the_journal_is_told_once_a_minute_and_when_it_is_over(harness: ReportHarness) -> None:
    """Another hindrance is told at once."""
    harness.report.tell_journal("", 0, 0)
    for now_ns in (1, 2, AGAIN_NS + 1):
        harness.report.tell_journal("a lock", 5, now_ns)
    harness.report.tell_journal("a reader", 5, AGAIN_NS + 2)
    harness.report.tell_journal("", 0, AGAIN_NS + 3)
    harness.report.tell_journal("", 0, AGAIN_NS + 4)
    told = [(line, fields.get("reason")) for _level, line, fields in harness.log.lines]
    assert told == [
        ("journal hindered", "a lock"),
        ("journal hindered", "a lock"),
        ("journal hindered", "a reader"),
        ("journal no longer hindered", None),
    ]
