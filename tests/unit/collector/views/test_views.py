"""What each result and heartbeat does to a view."""

import pytest

from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.harnesses.views_harness import ViewsHarness
from tickflag.common.errors import MessageError
from tickflag.common.units import LARGEST_INT64
from tickflag.common.wire.messages import Delta, Heartbeat, Snapshot
from tickflag.services.collector.views.view import Position, UnnumberedSignal


def test_first_snapshot_enters_all_in_order_and_needs_no_request(harness: ViewsHarness) -> None:
    """A trader's first snapshot syncs its view without a token."""
    trader = FakeTrader()
    trader.matches = {"B": 2.0, "A": 1.0}
    signals = harness.views.apply(trader.snapshot(), harness.now_ns)
    assert signals == [
        UnnumberedSignal("breakout", "A", "entered", 1.0, 100, 1),
        UnnumberedSignal("breakout", "B", "entered", 2.0, 100, 1),
    ]
    assert harness.synced()
    assert harness.control.resync.tokens == {}


def test_delta_gives_left_entered_score_each_sorted(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """The order of signals depends on the message only; `left` has the last score."""
    harness.take(breakout.change(C=3.0, D=4.0))
    signals = harness.take(breakout.change(A=None, B=None, Y=8.0, X=9.0, D=6.0, C=5.0))
    assert signals == [
        ("A", "left", 1.0),
        ("B", "left", 2.0),
        ("X", "entered", 9.0),
        ("Y", "entered", 8.0),
        ("C", "score", 5.0),
        ("D", "score", 6.0),
    ]
    assert harness.one.view.matches == breakout.matches


def test_missing_delta_desyncs_until_snapshot_and_its_difference_becomes_signals(
    harness: ViewsHarness, breakout: FakeTrader
) -> None:
    """GapVisible: delta n+2 is not applied to n, a snapshot is requested, and the signals add up all the same."""
    breakout.change(C=3.0)
    assert harness.take(breakout.change(D=4.0)) == []
    assert not harness.synced()
    assert harness.token > 0
    assert harness.take(breakout.change(E=5.0)) == []
    assert harness.take(breakout.snapshot(harness.token)) == [
        ("C", "entered", 3.0),
        ("D", "entered", 4.0),
        ("E", "entered", 5.0),
    ]
    assert harness.synced()
    assert harness.token == 0


def test_heartbeat_shows_lost_last_delta(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """GapVisible: the last result before a silence is missed as well."""
    breakout.change(C=3.0)
    harness.take(breakout.heartbeat())
    assert not harness.synced()
    assert harness.token > 0


def test_heartbeat_of_applied_result_changes_nothing(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A heartbeat with the view's own number keeps the view synced."""
    assert harness.take(breakout.heartbeat()) == []
    assert harness.synced()


def test_repeated_and_older_messages_change_nothing(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Neither deltas nor snapshots of the past roll a view back."""
    old_snapshot = breakout.snapshot()
    harness.take(old_snapshot)
    delta = breakout.change(C=3.0)
    harness.take(delta)
    for message in (delta, old_snapshot, delta):
        assert harness.take(message) == []
    assert harness.synced()
    assert harness.one.view.matches == {"A": 1.0, "B": 2.0, "C": 3.0}


def test_past_incarnation_is_ignored_and_counted(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """What a killed worker left in its queue comes too late."""
    late: list[Delta | Heartbeat | Snapshot] = [
        breakout.change(C=3.0),
        breakout.heartbeat("stopped"),
        breakout.snapshot(),
    ]
    harness.take(breakout.restart(A=1.0))
    for message in late:
        assert harness.take(message) == []
    assert harness.views.ignored == 3
    assert harness.one.view.matches == {"A": 1.0}
    assert not harness.stale()


def test_restarted_trader_keeps_old_matches_until_its_snapshot(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """The restart itself gives no signal; its difference does."""
    breakout.incarnation, breakout.seq = 2, 0
    assert harness.take(breakout.heartbeat("waiting")) == []
    assert harness.one.view.matches == {"A": 1.0, "B": 2.0}
    assert not harness.synced()
    breakout.matches = {"B": 2.0, "C": 3.0}
    assert harness.take(breakout.snapshot()) == [("A", "left", 1.0), ("C", "entered", 3.0)]
    assert harness.synced()


def test_new_incarnation_with_same_seq_moves_the_view(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Seq 1 of another life is another result."""
    harness.views.drain_positions()
    harness.take(breakout.restart(A=1.0, B=2.0))
    assert harness.views.drain_positions() == [Position("breakout", 2, 1, 2)]


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
    harness: ViewsHarness, breakout: FakeTrader, content: dict[str, object]
) -> None:
    """No part of a delta is applied where another part cannot be."""
    fields = {"trader": "breakout", "incarnation": 1, "seq": 2, "cycle": 2, "time_ms": 1}
    assert harness.take(Delta.model_validate({**fields, "entered": {"N": 1.0}, **content})) == []
    assert not harness.synced()
    assert harness.one.view.matches == {"A": 1.0, "B": 2.0}
    assert harness.token > 0


def test_a_note_follows_its_match(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A note comes with an entry or a score, is in that signal, and goes with the next change that has none."""

    def signals(message: Delta | Snapshot) -> list[tuple[str, str, str]]:
        return [(signal.symbol, signal.event, signal.note) for signal in harness.views.apply(message, harness.now_ns)]

    change = breakout.change_to({"A": 1.0, "B": 3.0, "C": 3.0}, {"B": "higher", "C": "new"})
    assert signals(change) == [("C", "entered", "new"), ("B", "score", "higher")]
    assert harness.one.view.notes == {"B": "higher", "C": "new"}
    assert signals(breakout.change(A=2.0)) == [("A", "score", "")]
    assert harness.one.view.notes == {"B": "higher", "C": "new"}
    assert signals(breakout.change(B=4.0, C=None)) == [("C", "left", ""), ("B", "score", "")]
    assert harness.one.view.notes == {}


def test_a_note_changes_with_a_score_that_is_no_signal(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A score that moved within the score's step reaches the view, and so does its note."""
    breakout.score_step = 5.0
    harness.take(breakout.snapshot())
    assert harness.take(breakout.change_to({"A": 1.5, "B": 2.0}, {"A": "a bit"})) == []
    assert harness.one.view.notes == {"A": "a bit"}


def test_a_snapshot_brings_its_notes(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """The notes are in the snapshot's signals and replace all earlier ones. A note without a match, or an empty one,
    does not count."""
    harness.take(breakout.change_to({"A": 1.0, "B": 3.0}, {"B": "old"}))
    breakout.matches["C"] = 5.0
    breakout.notes = {"A": "quiet", "C": "new", "Z": "nowhere", "B": ""}
    signals = harness.views.apply(breakout.snapshot(), harness.now_ns)
    assert [(signal.symbol, signal.note) for signal in signals] == [("C", "new")]
    assert harness.one.view.notes == {"A": "quiet", "C": "new"}


def test_an_empty_note_is_none(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """An empty note removes the one before."""
    harness.take(breakout.change_to({"A": 1.0, "B": 3.0}, {"B": "old"}))
    harness.take(breakout.change_to({"A": 1.0, "B": 4.0}, {"B": ""}))
    assert harness.one.view.notes == {}


def test_snapshot_behind_a_known_gap_does_not_sync(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A snapshot that is older than a result known to exist does not end the request."""
    early = breakout.snapshot()
    harness.take(breakout.change(C=3.0))  # result 3, while the view has result 1
    token = harness.token
    assert harness.take(early) == []
    assert not harness.synced()
    assert harness.token == token


def test_token_answer_syncs_whatever_seq_was_heard(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A heartbeat with a number that never was cannot keep a view unsynced for ever."""
    harness.take(breakout.heartbeat().model_copy(update={"seq": 10**15}))
    assert harness.take(breakout.snapshot(harness.token)) == []
    assert harness.synced()
    harness.take(breakout.change(C=3.0))
    assert harness.one.view.matches == breakout.matches
    breakout.change(D=4.0)
    harness.take(breakout.heartbeat())
    harness.take(breakout.snapshot())
    assert harness.synced()


def test_token_answer_never_rolls_back(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Not even the right token makes an older result newer than the view."""
    early = breakout.snapshot()
    harness.take(breakout.snapshot())
    token = harness.views.request_resync("breakout", harness.now_ns)
    harness.take(early.model_copy(update={"token": token}))
    assert not harness.synced()
    assert harness.one.view.seq == 3


def test_answer_to_an_earlier_request_is_not_the_answer_to_this_one(
    harness: ViewsHarness, breakout: FakeTrader
) -> None:
    """A late answer from before the latest loss does not end the present request."""
    answer = breakout.snapshot(harness.views.request_resync("breakout", harness.now_ns))
    harness.views.request_resync("breakout", harness.now_ns)
    harness.take(breakout.change(C=3.0))
    harness.take(answer)
    assert not harness.synced()


def test_old_worker_cannot_sync_once_the_new_one_was_heard(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """The old worker's last snapshot is newer than the view, and still of the past."""
    late = breakout.snapshot()
    breakout.incarnation, breakout.seq = 2, 0
    harness.take(breakout.heartbeat())
    assert harness.take(late) == []
    assert not harness.synced()
    assert harness.views.ignored == 1


def test_stale_symbols_of_a_snapshot(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """A match is stale until it leaves, or until a score or a snapshot clears it; only a match can be stale."""
    breakout.matches["C"] = 3.0
    harness.take(breakout.snapshot(stale=["A", "B", "C", "Z"]))
    assert harness.one.view.stale_symbols == {"A", "B", "C"}
    harness.take(breakout.change(A=None, B=2.5))
    assert harness.one.view.stale_symbols == {"C"}
    harness.take(breakout.snapshot())
    assert harness.one.view.stale_symbols == set()


def test_score_signals_only_beyond_the_step_since_the_last_signal(harness: ViewsHarness) -> None:
    """The view shows the newest score; a slow drift becomes a signal once it adds up."""
    trader = FakeTrader(score_step=1.0)
    trader.matches = {"A": 10.0}
    harness.take(trader.snapshot())
    assert harness.take(trader.change(A=10.6)) == []
    assert harness.one.view.matches == {"A": 10.6}
    assert harness.take(trader.change(A=11.0)) == []
    assert harness.take(trader.change(A=11.2)) == [("A", "score", 11.2)]
    assert harness.take(trader.change(A=10.5)) == []
    assert harness.take(trader.change(A=None)) == [("A", "left", 10.5)]


def test_operator_asks_for_a_resync(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """The view waits for the snapshot with a new token."""
    token = harness.views.request_resync("breakout", harness.now_ns)
    assert harness.control.resync.tokens == {"breakout": token}
    harness.take(breakout.snapshot(token))
    assert harness.synced()
    assert harness.control.resync.tokens == {}


@pytest.mark.parametrize("field", ["incarnation", "seq", "cycle", "time_ms"])
def test_numbers_the_journal_cannot_hold_are_refused(harness: ViewsHarness, breakout: FakeTrader, field: str) -> None:
    """One hostile message must not end the collector at its next commit."""
    with pytest.raises(MessageError):
        harness.take(breakout.change(C=3.0).model_copy(update={field: LARGEST_INT64 + 1}))
    assert harness.one.view.matches == {"A": 1.0, "B": 2.0}


def test_a_roster_with_a_time_the_journal_cannot_hold_is_refused(harness: ViewsHarness, breakout: FakeTrader) -> None:
    """Such a roster retires nobody."""
    with pytest.raises(MessageError, match="in a roster"):
        harness.take(roster("other").model_copy(update={"time_ms": LARGEST_INT64 + 1}))
    assert (harness.views.roster, list(harness.views.records)) == ({}, ["breakout"])
