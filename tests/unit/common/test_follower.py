"""Follower: whatever is lost, late or double on the way, each signal comes once and in order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import TickflagError
from common.follower import Follower, newest
from common.messages import Signal, Signals
from common.requests import Unreachable


class Journal:
    """What the collector knows; `away` makes it unreachable."""

    def __init__(self, last: int = 0, first: int = 1) -> None:
        self.last, self.first = last, first
        self.away = False
        self.asked = 0

    def ask(self, what: str, since: int = 0, limit: int = 0) -> Any:
        self.asked += 1
        if self.away:
            raise Unreachable("no collector is running")
        if what == "status":
            return {"collector": {"last_seq": self.last, "first_seq": self.first}}
        assert what == "signals"
        if not self.first - 1 <= since <= self.last:
            raise TickflagError("not of this journal")
        numbers = range(since + 1, min(since + limit, self.last) + 1)
        return {"signals": [signal(number).model_dump() for number in numbers], "last_seq": self.last}

    def publish(self, count: int) -> Signals:
        """`count` signals more, and the message that tells of them."""
        numbers = range(self.last + 1, self.last + count + 1)
        self.last += count
        return Signals(signals=[signal(number) for number in numbers], last_seq=self.last)


def signal(number: int) -> Signal:
    return Signal(
        seq=number, trader="ab"[number % 2], symbol="X", event="entered", score=1.0, time_ms=number, cycle=number
    )


def follower(journal: Journal, since: int = 0) -> tuple[Follower, list[str]]:
    notices: list[str] = []
    return Follower(journal.ask, since, notices.append), notices


def numbers(signals: Any) -> list[int]:
    return [signal["seq"] for signal in signals]


@given(
    before=st.integers(0, 2_500),
    since=st.integers(0, 2_500),
    steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["deliver", "lose", "twice", "late"]))),
)
def test_each_signal_comes_once(before: int, since: int, steps: list[tuple[int, str]]) -> None:
    """Messages are delivered, lost, doubled or held back until after a newer one; the last is always heard."""
    journal = Journal(before)
    since = min(since, before)
    one, notices = follower(journal, since)
    found = numbers(one.replay())
    held: list[Signals] = []
    for count, fate in steps:
        message = journal.publish(count)
        if fate == "late":
            held.append(message)
            continue
        if fate == "lose":
            continue
        for _ in range(2 if fate == "twice" else 1):
            found += numbers(one.take(message))
        for late in held:
            found += numbers(one.take(late))
        held.clear()
    found += numbers(one.take(journal.publish(0)))
    assert found == list(range(since + 1, journal.last + 1))
    assert notices == []


def test_old_messages_ask_nothing() -> None:
    """After a replay the queue is full of what it brought: that is dropped without a word to the collector."""
    journal = Journal()
    old = [journal.publish(3) for _ in range(10)]
    one, _ = follower(journal)
    assert len(list(one.replay())) == 30
    asked = journal.asked
    assert [numbers(one.take(message)) for message in old] == [[]] * 10
    assert journal.asked == asked


def test_a_journal_begun_anew_is_followed_from_its_beginning() -> None:
    """Its heartbeat shows it; nothing of the new one is missed."""
    one, notices = follower(Journal(50), 50)
    fresh = Journal(4)
    one._ask = fresh.ask
    assert numbers(one.take(fresh.publish(0))) == [1, 2, 3, 4]
    assert notices == ["the journal was begun anew"]


def test_signals_that_are_gone_are_told() -> None:
    """What the journal no longer has is a gap that shows."""
    journal = Journal(100)
    one, notices = follower(journal, 100)
    journal.last, journal.first = 300, 250
    assert numbers(one.take(journal.publish(0))) == list(range(250, 301))
    assert notices == ["signals 101 to 249 are no longer kept"]


def test_a_collector_that_is_away_is_waited_for() -> None:
    """One notice; with its next message everything comes."""
    journal = Journal(5)
    one, notices = follower(journal, 5)
    journal.publish(5)
    journal.away = True
    assert numbers(one.take(journal.publish(0))) == []
    assert numbers(one.take(journal.publish(1))) == []
    assert notices == ["no collector is running; waiting for it"]
    journal.away = False
    assert numbers(one.take(journal.publish(0))) == [6, 7, 8, 9, 10, 11]


def test_a_wrong_start_is_the_users_mistake() -> None:
    """The first replay passes the collector's words on."""
    one, _ = follower(Journal(5), 7)
    with pytest.raises(TickflagError, match="not of this journal"):
        list(one.replay())


@pytest.mark.parametrize(("last", "first", "limit"), [(0, 1, 20), (5, 1, 20), (5_000, 1, 20), (5_000, 4_990, 2_000)])
def test_newest(last: int, first: int, limit: int) -> None:
    """The last `limit`, as far as the journal reaches, in order."""
    everything = range(first, last + 1)
    journal = Journal(last, first)
    assert numbers(newest(journal.ask, limit, lambda _signal: True)) == list(everything)[-limit:]
    odd = numbers(newest(journal.ask, limit, lambda signal: signal["trader"] == "b"))
    assert odd == [number for number in everything if number % 2][-limit:]
