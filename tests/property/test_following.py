"""A follower beside the collector's journal, while messages are lost, late and double and collectors come and go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.oracles.followed_events import FollowedEvents
from tests.support.stand_ins.followed_collector import FollowedCollector
from tickflag.common.client.follower.core import FollowerCore, JournalQuestion
from tickflag.common.client.follower.events import Event, NewNotices, NewSignals, Place
from tickflag.common.errors import TickflagError
from tickflag.common.wire.messages import Notices, Signals
from tickflag.common.wire.requests import Unreachable

STEPS = (
    "commit", "commit", "commit unpublished", "note", "heartbeat", "deliver", "deliver", "deliver again", "drop",
    "ask", "answer", "lose answer", "kill", "start", "begin anew", "prune", "doubt", "restart",
)  # fmt: skip


class FollowedWorld:
    """A collector, a follower that lives off it, what is on the way between them, and what its events add up to."""

    def __init__(self) -> None:
        self.collector = FollowedCollector()
        self.core = FollowerCore()
        self.on_the_way: list[Signals | Notices] = []
        self.asked: tuple[JournalQuestion, Any] | None = None
        """A question and what is on the way to answer it."""
        self.followed = FollowedEvents()

    def step(self, what: str, number: int) -> None:
        collector = self.collector
        match what:
            case "commit" if collector.running:
                self.on_the_way.append(collector.commit(number))
            case "commit unpublished" if collector.running:
                collector.commit(number)
                collector.running = False
            case "note" if collector.running:
                self.on_the_way.append(collector.note(number))
            case "heartbeat" if collector.running:
                self.on_the_way.append(collector.heartbeat())
            case "deliver" | "deliver again" | "drop" if self.on_the_way:
                which = number % len(self.on_the_way)
                if what != "drop":
                    self.apply(self.core.take_message(self.on_the_way[which]))
                if what != "deliver again":
                    del self.on_the_way[which]
            case "ask" if self.asked is None and (question := self.core.question) is not None:
                self.asked = question, self._answer(question, number)
            case "answer" if self.asked is not None:
                self._take(*self.asked)
            case "lose answer" if self.asked is not None:
                self.asked = None
                self.apply(self.core.take_absence("no answer"))
            case "kill":
                collector.running = False
            case "start":
                collector.running = True
            case "begin anew":
                collector.lose(number)
                collector.running = True
            case "prune":
                collector.prune(number)
            case "doubt":
                self.core.doubt()
            case "restart":
                place = self.core.place
                away, self.core, self.asked = self.core.away, FollowerCore(place), None
                self.core.away = away

    def settle(self) -> None:
        """The collector runs, its heartbeat arrives, and what the follower asks is answered."""
        self.collector.running = True
        if self.asked is not None:
            self._take(*self.asked)
        for _ in range(2):  # a first heartbeat may come before the place is known
            self.apply(self.core.take_message(self.collector.heartbeat()))
            for _ in range(1_000):
                if (question := self.core.question) is None:
                    break
                self._take(question, self._answer(question, 3))
            assert self.core.question is None

    def apply(self, events: list[Event]) -> None:
        for event in events:
            self.followed.apply(event)
            place = self.followed.place
            if place is None:
                continue
            assert self.followed.matches == self.collector.matches_at[place.journal_id, place.signal]
            if isinstance(event, NewSignals | NewNotices):
                kind, found = ("signal", event.signals) if isinstance(event, NewSignals) else ("notice", event.notices)
                assert [*found] == [self.collector.written[f"{kind} {place.journal_id}", one.seq] for one in found]
        assert self.core.place == self.followed.place

    def _answer(self, question: JournalQuestion, page: int) -> Any:
        try:
            return self.collector.answer(question, max(1, page))
        except TickflagError as error:
            return error

    def _take(self, question: JournalQuestion, answer: Any) -> None:
        self.asked = None
        if isinstance(answer, Unreachable):
            self.apply(self.core.take_absence(str(answer)))
        elif isinstance(answer, TickflagError):
            self.apply(self.core.take_refusal(question, str(answer)))
        else:
            self.apply(self.core.take_answer(question, answer))


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 6)), max_size=80))
def test_what_is_given_equals_the_journal(steps: list[tuple[str, int]]) -> None:
    """After every event the match sets are those of the journal at the follower's place, and in the end the place is
    the journal's."""
    world = FollowedWorld()
    for what, number in steps:
        world.step(what, number)
    world.settle()
    collector = world.collector
    assert world.followed.place == Place(collector.journal_id, collector.last, collector.last_notice)
    assert world.followed.matches == collector.matches
    assert not world.followed.away


class GivesWhatCame(FollowerCore):
    """Takes every message as it comes."""

    def take_message(self, message: Signals | Notices) -> list[Event]:
        if isinstance(message, Notices) or not message.signals or self.place is None:
            return []
        self.place = Place(self.place.journal_id, message.last_seq, self.place.notice)
        return [NewSignals(self.place, tuple(message.signals))]


def test_the_check_finds_a_hole() -> None:
    """A follower that does not look at the numbers is found out."""
    world = FollowedWorld()
    world.core = GivesWhatCame()
    for what in ("ask", "answer", "commit", "drop", "commit"):
        world.step(what, 1)
    with pytest.raises(AssertionError):
        world.step("deliver", 0)
