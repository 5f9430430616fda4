"""What the log tells, and that nobody can flood it."""

from typing import Any, cast

import pytest

from common.log import Logger, configure
from services.collector.control import ControlState
from services.collector.report import PERIOD_NS, Report
from services.collector.views import Change, Views
from tests.support.fake_trader import FakeTrader
from tests.support.recorded_log import RecordedLog


class Newsroom:
    """A report over views, with the lines it wrote."""

    def __init__(self) -> None:
        self.views = Views(ControlState(), 5 * PERIOD_NS)
        self.log = RecordedLog()
        self.report = Report(cast(Logger, self.log), self.views, now_ns=0)

    def take(self, *messages: Any) -> None:
        for message in messages:
            self.report.drafts(self.views.apply(message, 0))


@pytest.fixture
def room() -> Newsroom:
    return Newsroom()


def test_matches_line_once_a_period_and_only_after_changes(room: Newsroom) -> None:
    """Total, entered and left per trader since the last line."""
    trader = FakeTrader("breakout")
    trader.matches = {"A": 1.0, "B": 1.0}
    room.take(trader.snapshot(), trader.change(C=1.0), trader.change(A=None))
    room.report.write(PERIOD_NS - 1)
    assert room.log.lines == []
    room.report.write(PERIOD_NS)
    assert room.log.lines == [("info", "matches", {"breakout": "2 (+3 -1)"})]
    room.take(trader.change(B=None))
    room.report.write(2 * PERIOD_NS)
    room.report.write(3 * PERIOD_NS)
    assert room.log.lines[1:] == [("info", "matches", {"breakout": "1 (-1)"})]


def test_warnings_are_limited_per_trader_and_kind(room: Newsroom) -> None:
    """The first of a period at once, the rest as a count."""
    changes = [Change("a", "gap", "x"), Change("b", "gap", "y"), Change("a", "synced")] * 50
    room.report.changes(changes)
    assert room.log.lines == [
        ("warning", "gap, resync wanted", {"trader": "a", "reason": "x"}),
        ("warning", "gap, resync wanted", {"trader": "b", "reason": "y"}),
        ("info", "resynced", {"trader": "a"}),
    ]
    room.report.write(PERIOD_NS)
    assert room.log.lines[3:] == [("warning", "more of the same", {"count": 147})]
    room.report.changes(changes[:1])
    assert len(room.log.lines) == 5


def test_a_trader_that_fails_is_told_once_and_when_it_works_again(room: Newsroom) -> None:
    """One warning for an error, however often it is heard; another one is news once a minute; an end is one line."""
    trader = FakeTrader("dip")

    def hear(second: int, state: str, error: str = "") -> None:
        room.views.apply(trader.heartbeat(state, error=error), second * PERIOD_NS)
        room.report.changes(change for change in room.views.take_changes() if change.what in ("failing", "works"))
        room.report.write(second * PERIOD_NS)

    hear(0, "running")
    assert room.log.lines == []
    for second in range(1, 5):
        hear(second, "failing", "no (line 7)")
    hear(5, "waiting")
    hear(6, "failing", "no, 6")
    begun = ("warning", "trader failing", {"trader": "dip", "reason": "no (line 7)"})
    assert room.log.lines == [begun]
    hear(61, "failing", "no, 61")
    assert room.log.lines[1:] == [("warning", "trader failing", {"trader": "dip", "reason": "no, 61"})]
    hear(62, "running")
    hear(63, "running")
    assert room.log.lines[2:] == [("info", "trader works again", {"trader": "dip"})]
    hear(64, "failing", "no (line 7)")
    assert room.log.lines[3:] == [begun]


def test_dropped_messages_are_one_line_a_period(room: Newsroom) -> None:
    """With the count and the last reason."""
    for n in range(1_000):
        room.report.dropped(f"reason {n}")
    room.report.write(PERIOD_NS)
    assert room.log.lines == [("warning", "dropped messages", {"count": 1_000, "last": "reason 999"})]


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("name", ["event", "self", "exc_info", "exception", "level", "a b\nc"])
def test_any_trader_name_can_be_logged(name: str, style: str) -> None:
    """A name that the log uses for itself is no reason to crash."""
    room = Newsroom()
    trader = FakeTrader(name)
    trader.matches = {"A": 1.0}
    report = Report(configure("collector", style=style), room.views, now_ns=0)
    report.drafts(room.views.apply(trader.snapshot(), 0))
    report.write(PERIOD_NS)
