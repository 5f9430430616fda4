"""Messages of other incarnations: ignored, told, and no message makes a trader unheard for ever."""

import pytest

from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.harnesses.views_harness import STALE_AFTER_NS, ViewsHarness
from tickflag.common.errors import MessageError
from tickflag.common.wire.messages import INCARNATION_LEAP
from tickflag.services.collector.views.trader_record import REFUSED_FROM


def test_late_messages_are_ignored_without_a_word(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """One or two of the former worker may be on their way when the next one begins."""
    harness.take(FakeTrader(incarnation=2).snapshot())
    for _ in range(REFUSED_FROM - 1):
        harness.take(breakout.heartbeat())
    assert harness.views.ignored == REFUSED_FROM - 1
    assert harness.views.refused_incarnations == {}
    assert harness.one.why_ignored() == ""


def test_a_worker_that_is_ignored_is_told_of_and_goes_above(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A message of a later incarnation makes the living worker unheard; the supervisor learns which one is known."""
    harness.take(FakeTrader(incarnation=1 << 41).heartbeat())
    harness.pass_time(STALE_AFTER_NS + 1)
    harness.views.drain_changes()
    for _ in range(REFUSED_FROM):
        harness.take(breakout.heartbeat())
    assert harness.views.refused_incarnations == {"breakout": 1 << 41}
    assert harness.one.why_ignored().endswith(f"incarnation known, {1 << 41}")
    assert [(one.what, one.reason) for one in harness.views.drain_changes()] == [("ignored", harness.one.why_ignored())]
    harness.take(FakeTrader(incarnation=(1 << 41) + 1).snapshot())
    assert harness.synced()
    assert (harness.views.refused_incarnations, harness.one.why_ignored()) == ({}, "")


def test_while_it_is_heard_nothing_is_said(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Then messages of another incarnation are somebody else's, and the supervisor has nothing to mend."""
    harness.take(FakeTrader(incarnation=2).snapshot())
    for _ in range(REFUSED_FROM):
        harness.take(breakout.heartbeat())
    assert harness.views.refused_incarnations == {"breakout": 2}
    assert harness.one.why_ignored() == ""
    assert "ignored" not in [one.what for one in harness.views.drain_changes()]


def test_no_message_takes_all_numbers(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """One that is far above the known incarnation is ignored, of a trader that is known or not."""
    before = harness.one.view.heard_incarnation
    harness.take(FakeTrader(incarnation=before + INCARNATION_LEAP + 1).heartbeat())
    assert harness.one.view.heard_incarnation == before
    assert harness.take(breakout.change(C=3.0)) == [("C", "entered", 3.0)]
    with pytest.raises(MessageError, match=f"incarnation {1 << 62} of trader 'other', of which 0 is known"):
        harness.take(FakeTrader("other", incarnation=1 << 62).heartbeat())
    harness.take(
        roster("breakout"),
    )
    harness.take(roster())
    harness.views.check_incarnation("breakout", before + INCARNATION_LEAP)
    with pytest.raises(MessageError, match=f"of which {before} is known"):
        harness.take(FakeTrader(incarnation=before + INCARNATION_LEAP + 1).heartbeat())


def test_a_retired_trader_is_not_told_of(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """It has no worker that could start anew."""
    harness.take(FakeTrader(incarnation=2).snapshot())
    harness.take(roster("breakout"))
    for _ in range(REFUSED_FROM):
        harness.take(breakout.heartbeat())
    harness.take(roster())
    assert harness.views.refused_incarnations == {}
