"""What each result and heartbeat does to a view."""

import pytest

from common.errors import MessageError
from common.messages import Delta, Heartbeat, Snapshot
from services.collector.view import Draft, Position
from services.collector.views import LARGEST
from tests.support.desk import Desk
from tests.support.fake_trader import FakeTrader


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


def test_delta_gives_left_entered_score_each_sorted(desk: Desk, breakout: FakeTrader) -> None:
    """The order of drafts depends on the message only; `left` carries the last score."""
    desk.take(breakout.change(C=3.0, D=4.0))
    drafts = desk.take(breakout.change(A=None, B=None, Y=8.0, X=9.0, D=6.0, C=5.0))
    assert drafts == [
        ("A", "left", 1.0),
        ("B", "left", 2.0),
        ("X", "entered", 9.0),
        ("Y", "entered", 8.0),
        ("C", "score", 5.0),
        ("D", "score", 6.0),
    ]
    assert desk.one.view.matches == breakout.matches


def test_missing_delta_desyncs_until_snapshot_and_its_difference_becomes_signals(
    desk: Desk, breakout: FakeTrader
) -> None:
    """GapVisible: delta n+2 on n is not applied, a snapshot is asked for, and the signals add up all the same."""
    breakout.change(C=3.0)
    assert desk.take(breakout.change(D=4.0)) == []
    assert not desk.synced()
    assert desk.token > 0
    assert desk.take(breakout.change(E=5.0)) == []
    assert desk.take(breakout.snapshot(desk.token)) == [
        ("C", "entered", 3.0),
        ("D", "entered", 4.0),
        ("E", "entered", 5.0),
    ]
    assert desk.synced()
    assert desk.token == 0


def test_heartbeat_shows_lost_last_delta(desk: Desk, breakout: FakeTrader) -> None:
    """GapVisible: the last result before silence is missed as well."""
    breakout.change(C=3.0)
    desk.take(breakout.heartbeat())
    assert not desk.synced()
    assert desk.token > 0


def test_heartbeat_of_applied_result_changes_nothing(desk: Desk, breakout: FakeTrader) -> None:
    """A sign of life with the seq we have keeps the view synced."""
    assert desk.take(breakout.heartbeat()) == []
    assert desk.synced()


def test_repeated_and_older_messages_change_nothing(desk: Desk, breakout: FakeTrader) -> None:
    """A view is never rolled back, by deltas or snapshots of the past."""
    old_snapshot = breakout.snapshot()
    desk.take(old_snapshot)
    delta = breakout.change(C=3.0)
    desk.take(delta)
    for message in (delta, old_snapshot, delta):
        assert desk.take(message) == []
    assert desk.synced()
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0, "C": 3.0}


def test_past_incarnation_is_ignored_and_counted(desk: Desk, breakout: FakeTrader) -> None:
    """Whatever a killed worker left in its queue comes too late."""
    late: list[Delta | Heartbeat | Snapshot] = [
        breakout.change(C=3.0),
        breakout.heartbeat("stopped"),
        breakout.snapshot(),
    ]
    desk.take(breakout.restart(A=1.0))
    for message in late:
        assert desk.take(message) == []
    assert desk.views.ignored == 3
    assert desk.one.view.matches == {"A": 1.0}
    assert not desk.stale()


def test_restarted_trader_keeps_old_matches_until_its_snapshot(desk: Desk, breakout: FakeTrader) -> None:
    """The restart itself is no signal, only the difference that comes of it."""
    breakout.incarnation, breakout.seq = 2, 0
    assert desk.take(breakout.heartbeat("waiting")) == []
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0}
    assert not desk.synced()
    breakout.matches = {"B": 2.0, "C": 3.0}
    assert desk.take(breakout.snapshot()) == [("A", "left", 1.0), ("C", "entered", 3.0)]
    assert desk.synced()


def test_new_incarnation_with_same_seq_moves_the_view(desk: Desk, breakout: FakeTrader) -> None:
    """Seq 1 of another life is another result."""
    desk.views.take_moved()
    desk.take(breakout.restart(A=1.0, B=2.0))
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
        {"notes": {"Z": "on no match"}},
        {"notes": {"A": "on one that did not change"}},
        {"left": ["A"], "notes": {"A": "on one that left"}},
    ],
)
def test_delta_that_contradicts_the_view_desyncs_and_changes_nothing(
    desk: Desk, breakout: FakeTrader, content: dict[str, object]
) -> None:
    """No part of a delta is applied where another part cannot be."""
    fields = {"trader": "breakout", "incarnation": 1, "seq": 2, "cycle": 2, "time_ms": 1}
    assert desk.take(Delta.model_validate({**fields, "entered": {"N": 1.0}, **content})) == []
    assert not desk.synced()
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0}
    assert desk.token > 0


def test_a_note_follows_its_match(desk: Desk, breakout: FakeTrader) -> None:
    """It comes with an entry or a score, stands in that signal, and goes with the next change that brings none."""

    def drafts(message: Delta | Snapshot) -> list[tuple[str, str, str]]:
        return [(draft.symbol, draft.event, draft.note) for draft in desk.views.apply(message, desk.now_ns)]

    change = breakout.change_to({"A": 1.0, "B": 3.0, "C": 3.0}, {"B": "higher", "C": "new"})
    assert drafts(change) == [("C", "entered", "new"), ("B", "score", "higher")]
    assert desk.one.view.notes == {"B": "higher", "C": "new"}
    assert drafts(breakout.change(A=2.0)) == [("A", "score", "")]
    assert desk.one.view.notes == {"B": "higher", "C": "new"}
    assert drafts(breakout.change(B=4.0, C=None)) == [("C", "left", ""), ("B", "score", "")]
    assert desk.one.view.notes == {}


def test_a_note_changes_with_a_score_that_is_no_signal(desk: Desk, breakout: FakeTrader) -> None:
    """Changes within the score's step reach the view, as the score does."""
    breakout.score_step = 5.0
    desk.take(breakout.snapshot())
    assert desk.take(breakout.change_to({"A": 1.5, "B": 2.0}, {"A": "a bit"})) == []
    assert desk.one.view.notes == {"A": "a bit"}


def test_a_snapshot_brings_its_notes(desk: Desk, breakout: FakeTrader) -> None:
    """In its signals and in place of all that were known; one on no match, or an empty one, is none."""
    desk.take(breakout.change_to({"A": 1.0, "B": 3.0}, {"B": "old"}))
    breakout.matches["C"] = 5.0
    breakout.notes = {"A": "quiet", "C": "new", "Z": "nowhere", "B": ""}
    drafts = desk.views.apply(breakout.snapshot(), desk.now_ns)
    assert [(draft.symbol, draft.note) for draft in drafts] == [("C", "new")]
    assert desk.one.view.notes == {"A": "quiet", "C": "new"}


def test_an_empty_note_is_none(desk: Desk, breakout: FakeTrader) -> None:
    """It takes the one before away."""
    desk.take(breakout.change_to({"A": 1.0, "B": 3.0}, {"B": "old"}))
    desk.take(breakout.change_to({"A": 1.0, "B": 4.0}, {"B": ""}))
    assert desk.one.view.notes == {}


def test_snapshot_behind_a_known_gap_does_not_sync(desk: Desk, breakout: FakeTrader) -> None:
    """A snapshot that is older than a result known to exist leaves the request standing."""
    early = breakout.snapshot()
    desk.take(breakout.change(C=3.0))  # result 3 on 1
    token = desk.token
    assert desk.take(early) == []
    assert not desk.synced()
    assert desk.token == token


def test_token_answer_syncs_whatever_seq_was_heard(desk: Desk, breakout: FakeTrader) -> None:
    """A heartbeat with a seq that never was cannot keep a view unsynced for ever."""
    desk.take(breakout.heartbeat().model_copy(update={"seq": 10**15}))
    assert desk.take(breakout.snapshot(desk.token)) == []
    assert desk.synced()
    desk.take(breakout.change(C=3.0))
    assert desk.one.view.matches == breakout.matches
    breakout.change(D=4.0)
    desk.take(breakout.heartbeat())
    desk.take(breakout.snapshot())
    assert desk.synced()


def test_token_answer_never_rolls_back(desk: Desk, breakout: FakeTrader) -> None:
    """Not even the right token makes an older result newer than the view."""
    early = breakout.snapshot()
    desk.take(breakout.snapshot())
    token = desk.views.request_resync("breakout", desk.now_ns)
    desk.take(early.model_copy(update={"token": token}))
    assert not desk.synced()
    assert desk.one.view.seq == 3


def test_answer_to_an_earlier_request_is_not_the_answer_to_this_one(desk: Desk, breakout: FakeTrader) -> None:
    """A late answer that is behind what was lost since does not end the present request."""
    answer = breakout.snapshot(desk.views.request_resync("breakout", desk.now_ns))
    desk.views.request_resync("breakout", desk.now_ns)
    desk.take(breakout.change(C=3.0))
    desk.take(answer)
    assert not desk.synced()


def test_old_worker_cannot_sync_once_the_new_one_was_heard(desk: Desk, breakout: FakeTrader) -> None:
    """Its last snapshot is newer than the view, and still of the past."""
    late = breakout.snapshot()
    breakout.incarnation, breakout.seq = 2, 0
    desk.take(breakout.heartbeat())
    assert desk.take(late) == []
    assert not desk.synced()
    assert desk.views.ignored == 1


def test_stale_symbols_of_a_snapshot(desk: Desk, breakout: FakeTrader) -> None:
    """A match stays stale until it leaves, gets a score or a snapshot clears it; nothing but a match can be."""
    breakout.matches["C"] = 3.0
    desk.take(breakout.snapshot(stale=["A", "B", "C", "Z"]))
    assert desk.one.view.stale_symbols == {"A", "B", "C"}
    desk.take(breakout.change(A=None, B=2.5))
    assert desk.one.view.stale_symbols == {"C"}
    desk.take(breakout.snapshot())
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


def test_operator_asks_for_a_resync(desk: Desk, breakout: FakeTrader) -> None:
    """The view waits for the snapshot with a fresh token."""
    token = desk.views.request_resync("breakout", desk.now_ns)
    assert desk.control.resync == {"breakout": token}
    desk.take(breakout.snapshot(token))
    assert desk.synced()
    assert desk.control.resync == {}


@pytest.mark.parametrize("field", ["incarnation", "seq", "cycle", "time_ms"])
def test_numbers_the_journal_cannot_hold_are_refused(desk: Desk, breakout: FakeTrader, field: str) -> None:
    """One hostile message must not end the collector at its next commit."""
    with pytest.raises(MessageError):
        desk.take(breakout.change(C=3.0).model_copy(update={field: LARGEST + 1}))
    assert desk.one.view.matches == {"A": 1.0, "B": 2.0}
