"""Traders that fall silent, stop, are removed, or were known to a former collector."""

import pytest

from services.collector.view import Draft, Position
from services.collector.views import RETRY_NS, Saved
from tests.support.desk import STALE_AFTER_NS, Desk
from tests.support.fake_trader import FakeTrader, roster


def test_unanswered_request_is_made_anew_with_growing_waits(desk: Desk, breakout: FakeTrader) -> None:
    """An answer lost for good does not leave the view unsynced for good."""
    breakout.change(C=3.0)
    desk.take(breakout.heartbeat())
    tokens = [desk.token]
    for _ in range(30):
        desk.take(breakout.heartbeat())
        desk.pass_time(RETRY_NS)
        tokens.append(desk.token)
    assert tokens == sorted(tokens)
    assert 4 <= len(set(tokens)) <= 6  # after 2, 4, 8, 16, ... seconds


def test_silent_trader_is_stale_and_live_again_without_signals(desk: Desk, breakout: FakeTrader) -> None:
    """Staleness is a state of the view."""
    desk.pass_time(STALE_AFTER_NS)
    assert not desk.stale()
    desk.pass_time(1)
    assert desk.stale()
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0}
    assert desk.take(breakout.heartbeat()) == []
    assert not desk.stale()
    assert desk.synced()


def test_stale_trader_is_not_asked_again_and_again(desk: Desk, breakout: FakeTrader) -> None:
    """Nobody is there to answer; the request stands."""
    breakout.change(C=3.0)
    desk.take(breakout.heartbeat())
    desk.pass_time(STALE_AFTER_NS + 1)
    version = desk.control.version
    desk.pass_time(RETRY_NS * 100)
    assert desk.control.version == version
    assert desk.token > 0


@pytest.mark.parametrize("state", ["restarting", "skipped", "stopped"])
def test_supervisor_says_that_it_does_not_run(desk: Desk, breakout: FakeTrader, state: str) -> None:
    """Stale at once; a late message of the dead worker does not revive it, a new worker's does."""
    desk.take(roster(breakout=state))
    assert desk.stale()
    desk.take(breakout.change(C=3.0))
    assert desk.stale()
    desk.take(breakout.restart(A=1.0))
    assert not desk.stale()


def test_worker_says_that_it_stops(desk: Desk, breakout: FakeTrader) -> None:
    """A clean end needs no time-out."""
    desk.take(breakout.heartbeat("stopped"))
    assert desk.stale()


def test_trader_off_the_roster_is_retired(desk: Desk, breakout: FakeTrader) -> None:
    """Its matches leave, its request is withdrawn, and late messages do not bring it back."""
    desk.take(roster("breakout", "other"))
    breakout.change(C=3.0)
    desk.take(breakout.heartbeat())
    drafts = desk.views.apply(roster("other"), desk.now_ns)
    assert drafts == [Draft("breakout", "A", "left", 1.0, 5_000, 1), Draft("breakout", "B", "left", 2.0, 5_000, 1)]
    assert desk.control.resync == {}
    assert desk.take(breakout.snapshot()) == []
    assert desk.views.names() == ["other"]
    assert desk.views.take_moved() == [Position("breakout", 1, 2, 1, retired=True)]


def test_disabled_trader_is_retired_though_it_is_on_the_roster(desk: Desk, breakout: FakeTrader) -> None:
    """Its matches leave at once, be the roster complete or not; enabled, it begins with its next incarnation."""
    drafts = desk.take(roster(breakout="disabled").model_copy(update={"complete": False}))
    assert drafts == [("A", "left", 1.0), ("B", "left", 2.0)]
    assert desk.take(breakout.change(C=3.0)) == []
    assert desk.take(roster(breakout="disabled")) == []
    assert desk.views.names() == ["breakout"]
    assert desk.take(breakout.restart(A=1.0)) == [("A", "entered", 1.0)]
    assert desk.take(roster("breakout")) == []
    assert desk.synced()


def test_a_new_trader_is_not_told_as_restarted(desk: Desk) -> None:
    """Though its first word is a heartbeat, with its snapshot still to come."""
    trader = FakeTrader("breakout")
    desk.take(trader.heartbeat())
    assert [change.what for change in desk.views.take_changes()] == ["new", "live"]
    assert desk.token > 0
    desk.take(trader.restart(A=1.0))
    desk.take(trader.restart(A=1.0))
    assert "restarted" not in [change.what for change in desk.views.take_changes()]
    desk.take(trader.snapshot())
    trader.restart(A=1.0)
    desk.take(trader.heartbeat())
    assert [change.what for change in desk.views.take_changes()] == ["restarted"]


def test_trader_that_reports_before_its_roster_is_not_retired(desk: Desk, breakout: FakeTrader) -> None:
    """Worker and supervisor speak over different sockets: an older roster may come between."""
    assert desk.take(roster("other")) == []
    assert desk.synced()
    desk.take(roster("breakout"))
    assert len(desk.take(roster("other"))) == 2


def test_incomplete_roster_retires_nobody(desk: Desk, breakout: FakeTrader) -> None:
    """A supervisor that does not know all names yet says nothing about those that are missing."""
    desk.take(roster("breakout"))
    assert desk.take(roster().model_copy(update={"complete": False})) == []
    assert desk.synced()
    assert len(desk.take(roster())) == 2


def test_retired_trader_put_back_on_the_roster(desk: Desk, breakout: FakeTrader) -> None:
    """The incarnation may still run: it is asked for a snapshot, and its matches enter again."""
    desk.take(roster("breakout"))
    desk.take(roster())
    desk.take(roster("breakout"))
    assert desk.token > 0
    assert desk.take(breakout.snapshot(desk.token)) == [("A", "entered", 1.0), ("B", "entered", 2.0)]


def test_retired_trader_started_anew(desk: Desk, breakout: FakeTrader) -> None:
    """A new incarnation is a new trader, before or after its roster comes."""
    desk.take(roster("breakout"))
    desk.views.take_moved()
    desk.take(roster())
    assert desk.views.take_moved() == [Position("breakout", 1, 1, 1, retired=True)]
    assert desk.take(breakout.restart(Q=1.0)) == [("Q", "entered", 1.0)]
    assert desk.take(roster("breakout")) == []


def test_restored_trader_needs_a_snapshot_and_the_difference_becomes_signals(desk: Desk) -> None:
    """Deltas on what a former collector may have seen are not applied; a restart repeats and swallows nothing."""
    desk.views.restore([Saved(Position("breakout", 3, 7, 70), {"A": 1.0, "B": 2.0})], desk.now_ns)
    trader = FakeTrader(incarnation=3)
    trader.matches, trader.seq = {"A": 1.0, "B": 2.0}, 7
    assert desk.stale()
    assert desk.take(trader.change(C=3.0)) == []
    assert desk.take(trader.change(B=None)) == []
    assert desk.take(trader.snapshot(desk.token)) == [("B", "left", 2.0), ("C", "entered", 3.0)]


def test_restored_trader_off_the_roster_is_retired(desk: Desk) -> None:
    """A trader removed while the collector was away leaves its matches as well."""
    desk.views.restore([Saved(Position("breakout", 3, 7, 70), {"A": 1.0})], desk.now_ns)
    assert desk.take(roster("other")) == [("A", "left", 1.0)]
