"""What each kind of message does to the views."""

import pytest

from common.errors import MessageError
from common.messages import Delta, Heartbeat, Roster, Snapshot
from services.collector.control import ControlState
from services.collector.view import Draft, Position
from services.collector.views import LARGEST, RETRY_NS, Known, Saved, Views
from tests.support.fake_trader import FakeTrader, roster

STALE_AFTER_NS = 5_000_000_000


class Desk:
    """Views with a clock that the test moves."""

    def __init__(self) -> None:
        self.control = ControlState()
        self.views = Views(self.control, STALE_AFTER_NS)
        self.now_ns = 1_000_000_000

    def take(self, message: Snapshot | Delta | Heartbeat | Roster) -> list[tuple[str, str, float]]:
        return [draft[1:4] for draft in self.views.apply(message, self.now_ns)]

    def pass_time(self, ns: int) -> None:
        self.now_ns += ns
        self.views.expire(self.now_ns)

    @property
    def one(self) -> Known:
        return self.views.known["breakout"]

    def synced(self) -> bool:
        return self.one.view.synced

    def stale(self) -> bool:
        return self.one.stale

    @property
    def token(self) -> int:
        return self.control.resync.get("breakout", 0)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def trader(desk: Desk) -> FakeTrader:
    """A trader with matches A and B, whose view is synced."""
    trader = FakeTrader()
    trader.matches = {"A": 1.0, "B": 2.0}
    desk.take(trader.snapshot())
    return trader


def test_first_snapshot_enters_all_in_order_and_needs_no_request(desk: Desk) -> None:
    """A trader's first snapshot syncs its view without a token."""
    trader = FakeTrader()
    trader.matches = {"B": 2.0, "A": 1.0}
    drafts = desk.views.apply(trader.snapshot(), desk.now_ns)
    assert drafts == [
        Draft("breakout", "A", "entered", 1.0, 100, 1),
        Draft("breakout", "B", "entered", 2.0, 100, 1),
    ]
    assert desk.synced()
    assert desk.control.resync == {}


def test_delta_gives_left_entered_score_each_sorted(desk: Desk, trader: FakeTrader) -> None:
    """The order of drafts depends on the message only; `left` carries the last score."""
    desk.take(trader.change(C=3.0, D=4.0))
    drafts = desk.take(trader.change(A=None, B=None, Y=8.0, X=9.0, D=6.0, C=5.0))
    assert drafts == [
        ("A", "left", 1.0),
        ("B", "left", 2.0),
        ("X", "entered", 9.0),
        ("Y", "entered", 8.0),
        ("C", "score", 5.0),
        ("D", "score", 6.0),
    ]
    assert desk.one.view.matches == trader.matches


def test_missing_delta_desyncs_until_snapshot_and_its_difference_becomes_signals(
    desk: Desk, trader: FakeTrader
) -> None:
    """GapVisible: delta n+2 on n is not applied, a snapshot is asked for, and the signals add up all the same."""
    trader.change(C=3.0)
    assert desk.take(trader.change(D=4.0)) == []
    assert not desk.synced()
    assert desk.token > 0
    assert desk.take(trader.change(E=5.0)) == []
    assert desk.take(trader.snapshot(desk.token)) == [
        ("C", "entered", 3.0),
        ("D", "entered", 4.0),
        ("E", "entered", 5.0),
    ]
    assert desk.synced()
    assert desk.token == 0


def test_heartbeat_shows_lost_last_delta(desk: Desk, trader: FakeTrader) -> None:
    """GapVisible: the last result before silence is missed as well."""
    trader.change(C=3.0)
    desk.take(trader.heartbeat())
    assert not desk.synced()
    assert desk.token > 0


def test_heartbeat_of_applied_result_changes_nothing(desk: Desk, trader: FakeTrader) -> None:
    """A sign of life with the seq we have keeps the view synced."""
    assert desk.take(trader.heartbeat()) == []
    assert desk.synced()


def test_repeated_and_older_messages_change_nothing(desk: Desk, trader: FakeTrader) -> None:
    """A view is never rolled back, by deltas or snapshots of the past."""
    old_snapshot = trader.snapshot()
    desk.take(old_snapshot)
    delta = trader.change(C=3.0)
    desk.take(delta)
    for message in (delta, old_snapshot, delta):
        assert desk.take(message) == []
    assert desk.synced()
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0, "C": 3.0}


def test_past_incarnation_is_ignored_and_counted(desk: Desk, trader: FakeTrader) -> None:
    """Whatever a killed worker left in its queue comes too late."""
    late: list[Delta | Heartbeat | Snapshot] = [trader.change(C=3.0), trader.heartbeat("stopped"), trader.snapshot()]
    desk.take(trader.restart(A=1.0))
    for message in late:
        assert desk.take(message) == []
    assert desk.views.ignored == 3
    assert desk.one.view.matches == {"A": 1.0}
    assert not desk.stale()


def test_restarted_trader_keeps_old_matches_until_its_snapshot(desk: Desk, trader: FakeTrader) -> None:
    """The restart itself is no signal, only the difference that comes of it."""
    trader.incarnation, trader.seq = 2, 0
    assert desk.take(trader.heartbeat("waiting")) == []
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0}
    assert not desk.synced()
    trader.matches = {"B": 2.0, "C": 3.0}
    assert desk.take(trader.snapshot()) == [("A", "left", 1.0), ("C", "entered", 3.0)]
    assert desk.synced()


def test_new_incarnation_with_same_seq_moves_the_view(desk: Desk, trader: FakeTrader) -> None:
    """Seq 1 of another life is another result."""
    desk.views.take_moved()
    desk.take(trader.restart(A=1.0, B=2.0))
    assert desk.views.take_moved() == [Position("breakout", 2, 1, 2)]


@pytest.mark.parametrize(
    "content",
    [
        {"left": ["Z"]},
        {"left": ["A", "A"]},
        {"entered": {"A": 1.0}},
        {"scores": {"Z": 1.0}},
        {"left": ["A"], "scores": {"A": 5.0}},
        {"entered": {"C": 1.0}, "scores": {"C": 2.0}},
    ],
)
def test_delta_that_contradicts_the_view_desyncs_and_changes_nothing(
    desk: Desk, trader: FakeTrader, content: dict[str, object]
) -> None:
    """No part of a delta is applied where another part cannot be."""
    fields = {"trader": "breakout", "incarnation": 1, "seq": 2, "cycle": 2, "time_ms": 1}
    assert desk.take(Delta.model_validate({**fields, "entered": {"N": 1.0}, **content})) == []
    assert not desk.synced()
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0}
    assert desk.token > 0


def test_snapshot_behind_a_known_gap_does_not_sync(desk: Desk, trader: FakeTrader) -> None:
    """A snapshot that is older than a result known to exist leaves the request standing."""
    early = trader.snapshot()
    desk.take(trader.change(C=3.0))  # result 3 on 1
    token = desk.token
    assert desk.take(early) == []
    assert not desk.synced()
    assert desk.token == token


def test_token_answer_syncs_whatever_seq_was_heard(desk: Desk, trader: FakeTrader) -> None:
    """A heartbeat with a seq that never was cannot keep a view unsynced for ever."""
    desk.take(trader.heartbeat().model_copy(update={"seq": 10**15}))
    assert desk.take(trader.snapshot(desk.token)) == []
    assert desk.synced()
    desk.take(trader.change(C=3.0))
    assert desk.one.view.matches == trader.matches
    trader.change(D=4.0)
    desk.take(trader.heartbeat())
    desk.take(trader.snapshot())
    assert desk.synced()


def test_token_answer_never_rolls_back(desk: Desk, trader: FakeTrader) -> None:
    """Not even the right token makes an older result newer than the view."""
    early = trader.snapshot()
    desk.take(trader.snapshot())
    token = desk.views.request_resync("breakout", desk.now_ns)
    desk.take(early.model_copy(update={"token": token}))
    assert not desk.synced()
    assert desk.one.view.seq == 3


def test_answer_to_an_earlier_request_is_not_the_answer_to_this_one(desk: Desk, trader: FakeTrader) -> None:
    """A late answer that is behind what was lost since does not end the present request."""
    answer = trader.snapshot(desk.views.request_resync("breakout", desk.now_ns))
    desk.views.request_resync("breakout", desk.now_ns)
    desk.take(trader.change(C=3.0))
    desk.take(answer)
    assert not desk.synced()


def test_old_worker_cannot_sync_once_the_new_one_was_heard(desk: Desk, trader: FakeTrader) -> None:
    """Its last snapshot is newer than the view, and still of the past."""
    late = trader.snapshot()
    trader.incarnation, trader.seq = 2, 0
    desk.take(trader.heartbeat())
    assert desk.take(late) == []
    assert not desk.synced()
    assert desk.views.ignored == 1


def test_unanswered_request_is_made_anew_with_growing_waits(desk: Desk, trader: FakeTrader) -> None:
    """An answer lost for good does not leave the view unsynced for good."""
    trader.change(C=3.0)
    desk.take(trader.heartbeat())
    tokens = [desk.token]
    for _ in range(30):
        desk.take(trader.heartbeat())
        desk.pass_time(RETRY_NS)
        tokens.append(desk.token)
    assert tokens == sorted(tokens)
    assert 4 <= len(set(tokens)) <= 6  # after 2, 4, 8, 16, ... seconds


def test_silent_trader_is_stale_and_live_again_without_signals(desk: Desk, trader: FakeTrader) -> None:
    """Staleness is a state of the view."""
    desk.pass_time(STALE_AFTER_NS)
    assert not desk.stale()
    desk.pass_time(1)
    assert desk.stale()
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0}
    assert desk.take(trader.heartbeat()) == []
    assert not desk.stale()
    assert desk.synced()


def test_stale_trader_is_not_asked_again_and_again(desk: Desk, trader: FakeTrader) -> None:
    """Nobody is there to answer; the request stands."""
    trader.change(C=3.0)
    desk.take(trader.heartbeat())
    desk.pass_time(STALE_AFTER_NS + 1)
    version = desk.control.version
    desk.pass_time(RETRY_NS * 100)
    assert desk.control.version == version
    assert desk.token > 0


@pytest.mark.parametrize("state", ["restarting", "skipped", "stopped"])
def test_supervisor_says_that_it_does_not_run(desk: Desk, trader: FakeTrader, state: str) -> None:
    """Stale at once; a late message of the dead worker does not revive it, a new worker's does."""
    desk.take(roster(breakout=state))
    assert desk.stale()
    desk.take(trader.change(C=3.0))
    assert desk.stale()
    desk.take(trader.restart(A=1.0))
    assert not desk.stale()


def test_worker_says_that_it_stops(desk: Desk, trader: FakeTrader) -> None:
    """A clean end needs no time-out."""
    desk.take(trader.heartbeat("stopped"))
    assert desk.stale()


def test_stale_symbols_of_a_snapshot(desk: Desk, trader: FakeTrader) -> None:
    """A match stays stale until it leaves, gets a score or a snapshot clears it; nothing but a match can be."""
    trader.matches["C"] = 3.0
    desk.take(trader.snapshot(stale=["A", "B", "C", "Z"]))
    assert desk.one.view.stale_symbols == {"A", "B", "C"}
    desk.take(trader.change(A=None, B=2.5))
    assert desk.one.view.stale_symbols == {"C"}
    desk.take(trader.snapshot())
    assert desk.one.view.stale_symbols == set()


def test_score_signals_only_beyond_the_step_since_the_last_signal(desk: Desk) -> None:
    """The view shows the newest score; a slow drift becomes a signal once it adds up."""
    trader = FakeTrader(score_step=1.0)
    trader.matches = {"A": 10.0}
    desk.take(trader.snapshot())
    assert desk.take(trader.change(A=10.6)) == []
    assert desk.one.view.matches == {"A": 10.6}
    assert desk.take(trader.change(A=11.0)) == []
    assert desk.take(trader.change(A=11.2)) == [("A", "score", 11.2)]
    assert desk.take(trader.change(A=10.5)) == []
    assert desk.take(trader.change(A=None)) == [("A", "left", 10.5)]


def test_trader_off_the_roster_is_retired(desk: Desk, trader: FakeTrader) -> None:
    """Its matches leave, its request is withdrawn, and late messages do not bring it back."""
    desk.take(roster("breakout", "other"))
    trader.change(C=3.0)
    desk.take(trader.heartbeat())
    drafts = desk.views.apply(roster("other"), desk.now_ns)
    assert drafts == [Draft("breakout", "A", "left", 1.0, 5_000, 1), Draft("breakout", "B", "left", 2.0, 5_000, 1)]
    assert desk.control.resync == {}
    assert desk.take(trader.snapshot()) == []
    assert desk.views.names() == ["other"]
    assert desk.views.take_moved() == [Position("breakout", 1, 2, 1, retired=True)]


def test_trader_that_reports_before_its_roster_is_not_retired(desk: Desk, trader: FakeTrader) -> None:
    """Worker and supervisor speak over different sockets: an older roster may come between."""
    assert desk.take(roster("other")) == []
    assert desk.synced()
    desk.take(roster("breakout"))
    assert len(desk.take(roster("other"))) == 2


def test_incomplete_roster_retires_nobody(desk: Desk, trader: FakeTrader) -> None:
    """A supervisor that does not know all names yet says nothing about those that are missing."""
    desk.take(roster("breakout"))
    assert desk.take(roster().model_copy(update={"complete": False})) == []
    assert desk.synced()
    assert len(desk.take(roster())) == 2


def test_retired_trader_put_back_on_the_roster(desk: Desk, trader: FakeTrader) -> None:
    """The incarnation may still run: it is asked for a snapshot, and its matches enter again."""
    desk.take(roster("breakout"))
    desk.take(roster())
    desk.take(roster("breakout"))
    assert desk.token > 0
    assert desk.take(trader.snapshot(desk.token)) == [("A", "entered", 1.0), ("B", "entered", 2.0)]


def test_retired_trader_started_anew(desk: Desk, trader: FakeTrader) -> None:
    """A new incarnation is a new trader, before or after its roster comes."""
    desk.take(roster("breakout"))
    desk.views.take_moved()
    desk.take(roster())
    assert desk.views.take_moved() == [Position("breakout", 1, 1, 1, retired=True)]
    assert desk.take(trader.restart(Q=1.0)) == [("Q", "entered", 1.0)]
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


def test_operator_asks_for_a_resync(desk: Desk, trader: FakeTrader) -> None:
    """The view waits for the snapshot with a fresh token."""
    token = desk.views.request_resync("breakout", desk.now_ns)
    assert desk.control.resync == {"breakout": token}
    desk.take(trader.snapshot(token))
    assert desk.synced()
    assert desk.control.resync == {}


@pytest.mark.parametrize("field", ["incarnation", "seq", "cycle", "time_ms"])
def test_numbers_the_journal_cannot_hold_are_refused(desk: Desk, trader: FakeTrader, field: str) -> None:
    """One hostile message must not end the collector at its next commit."""
    with pytest.raises(MessageError):
        desk.take(trader.change(C=3.0).model_copy(update={field: LARGEST + 1}))
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0}
