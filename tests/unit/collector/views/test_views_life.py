"""Traders that fall silent, stop, are removed, or were known to an earlier life of the collector."""

import pytest

from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.harnesses.views_harness import STALE_AFTER_NS, ViewsHarness
from tickflag.services.collector.views.trader_record import RETRY_NS
from tickflag.services.collector.views.view import Position, UnnumberedSignal
from tickflag.services.collector.views.views import SavedTrader


def test_unanswered_request_is_made_anew_with_growing_waits(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A lost answer does not leave the view unsynced for good."""
    breakout.change(C=3.0)
    harness.take(breakout.heartbeat())
    tokens = [harness.token]
    for _ in range(30):
        harness.take(breakout.heartbeat())
        harness.pass_time(RETRY_NS)
        tokens.append(harness.token)
    assert tokens == sorted(tokens)
    assert 4 <= len(set(tokens)) <= 6  # after 2, 4, 8, 16, ... seconds


def test_silent_trader_is_stale_and_live_again_without_signals(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Staleness is a state of the view."""
    harness.pass_time(STALE_AFTER_NS)
    assert not harness.stale()
    harness.pass_time(1)
    assert harness.stale()
    assert harness.one.view.matches == {"A": 1.0, "B": 2.0}
    assert harness.take(breakout.heartbeat()) == []
    assert not harness.stale()
    assert harness.synced()


def test_stale_trader_is_not_asked_again_and_again(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Nobody is there to answer; the request stays."""
    breakout.change(C=3.0)
    harness.take(breakout.heartbeat())
    harness.pass_time(STALE_AFTER_NS + 1)
    version = harness.control.version
    harness.pass_time(RETRY_NS * 100)
    assert harness.control.version == version
    assert harness.token > 0


@pytest.mark.parametrize("state", ["restarting", "skipped", "stopped"])
def test_supervisor_says_that_it_does_not_run(harness: ViewsHarness, breakout: FakeTrader, state: str) -> None:
    """The view is stale at once. A late message of the dead worker does not revive it, one of a new worker does."""
    harness.take(roster(breakout=state))
    assert harness.stale()
    harness.take(breakout.change(C=3.0))
    assert harness.stale()
    harness.take(breakout.restart(A=1.0))
    assert not harness.stale()


def test_worker_says_that_it_stops(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A clean end needs no time-out."""
    harness.take(breakout.heartbeat("stopped"))
    assert harness.stale()


def test_trader_off_the_roster_is_retired(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Its matches leave, its request is withdrawn, and late messages do not bring it back."""
    harness.take(roster("breakout", "other"))
    breakout.change(C=3.0)
    harness.take(breakout.heartbeat())
    signals = harness.views.apply(roster("other"), harness.now_ns)
    assert signals == [
        UnnumberedSignal("breakout", "A", "left", 1.0, 5_000, 1),
        UnnumberedSignal("breakout", "B", "left", 2.0, 5_000, 1),
    ]
    assert harness.control.resync.tokens == {}
    assert harness.take(breakout.snapshot()) == []
    assert harness.views.names() == ["other"]
    assert harness.views.drain_positions() == [Position("breakout", 1, 2, 1, retired=True)]


def test_disabled_trader_is_retired_though_it_is_on_the_roster(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """The matches leave at once, whether the roster is complete or not. Enabled again, the trader begins with its next
    incarnation."""
    signals = harness.take(roster(breakout="disabled").model_copy(update={"complete": False}))
    assert signals == [("A", "left", 1.0), ("B", "left", 2.0)]
    assert harness.take(breakout.change(C=3.0)) == []
    assert harness.take(roster(breakout="disabled")) == []
    assert harness.views.names() == ["breakout"]
    assert harness.take(breakout.restart(A=1.0)) == [("A", "entered", 1.0)]
    assert harness.take(roster("breakout")) == []
    assert harness.synced()


def test_a_new_trader_is_not_told_as_restarted(harness: ViewsHarness) -> None:
    """The first message of a new trader is a heartbeat, and its snapshot is still to come."""
    trader = FakeTrader("breakout")
    harness.take(trader.heartbeat())
    assert [change.what for change in harness.views.drain_changes()] == ["new", "live"]
    assert harness.token > 0
    harness.take(trader.restart(A=1.0))
    harness.take(trader.restart(A=1.0))
    assert "restarted" not in [change.what for change in harness.views.drain_changes()]
    harness.take(trader.snapshot())
    trader.restart(A=1.0)
    harness.take(trader.heartbeat())
    assert [change.what for change in harness.views.drain_changes()] == ["restarted"]


def test_trader_that_reports_before_its_roster_is_not_retired(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Worker and supervisor use different sockets: an older roster may come between."""
    assert harness.take(roster("other")) == []
    assert harness.synced()
    harness.take(roster("breakout"))
    assert len(harness.take(roster("other"))) == 2


def test_incomplete_roster_retires_nobody(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A supervisor that does not know all names yet says nothing about missing traders."""
    harness.take(roster("breakout"))
    assert harness.take(roster().model_copy(update={"complete": False})) == []
    assert harness.synced()
    assert len(harness.take(roster())) == 2


def test_retired_trader_put_back_on_the_roster(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """The incarnation may still run: it is asked for a snapshot, and the matches enter again."""
    harness.take(roster("breakout"))
    harness.take(roster())
    harness.take(roster("breakout"))
    assert harness.token > 0
    assert harness.take(breakout.snapshot(harness.token)) == [("A", "entered", 1.0), ("B", "entered", 2.0)]


def test_retired_trader_started_anew(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A new incarnation is a new trader, before or after its roster comes."""
    harness.take(roster("breakout"))
    harness.views.drain_positions()
    harness.take(roster())
    assert harness.views.drain_positions() == [Position("breakout", 1, 1, 1, retired=True)]
    assert harness.take(breakout.restart(Q=1.0)) == [("Q", "entered", 1.0)]
    assert harness.take(roster("breakout")) == []


def test_restored_trader_needs_a_snapshot_and_the_difference_becomes_signals(harness: ViewsHarness) -> None:
    """Deltas are not applied to what an earlier life may have seen; a restart repeats and swallows nothing."""
    harness.views.restore([SavedTrader(Position("breakout", 3, 7, 70), {"A": 1.0, "B": 2.0})], harness.now_ns)
    trader = FakeTrader(incarnation=3)
    trader.matches, trader.seq = {"A": 1.0, "B": 2.0}, 7
    assert harness.stale()
    assert harness.take(trader.change(C=3.0)) == []
    assert harness.take(trader.change(B=None)) == []
    assert harness.take(trader.snapshot(harness.token)) == [("B", "left", 2.0), ("C", "entered", 3.0)]


def test_restored_trader_off_the_roster_is_retired(harness: ViewsHarness) -> None:
    """The matches of a trader that was removed while the collector was away leave as well."""
    harness.views.restore([SavedTrader(Position("breakout", 3, 7, 70), {"A": 1.0})], harness.now_ns)
    assert harness.take(roster("other")) == [("A", "left", 1.0)]


def test_restored_position_of_a_retired_trader_tells_its_late_messages(harness: ViewsHarness) -> None:
    """Messages of the past life are ignored; a new life begins without matches."""
    harness.views.restore([SavedTrader(Position("breakout", 3, 9, 9, retired=True), {})], harness.now_ns)
    assert (harness.views.names(), harness.control.resync.tokens) == ([], {})
    assert harness.take(FakeTrader(incarnation=3).snapshot()) == []
    assert (harness.views.names(), harness.views.ignored) == ([], 1)
    fresh = FakeTrader(incarnation=4)
    fresh.matches = {"A": 1.0}
    assert harness.take(fresh.snapshot()) == [("A", "entered", 1.0)]
