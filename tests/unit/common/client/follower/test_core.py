"""FollowerCore: what it asks, and what it makes of each message, answer and refusal."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.stand_ins.followed_collector import FollowedCollector
from tickflag.common.client.follower.core import PAGE, FollowerCore, JournalQuestion
from tickflag.common.client.follower.events import (
    CollectorAway,
    CollectorBack,
    Event,
    MatchSets,
    NewNotices,
    NewSignals,
    Place,
)
from tickflag.common.errors import TickflagError
from tickflag.common.wire.messages import Signals
from tickflag.common.wire.requests import Unreachable


def answered(core: FollowerCore, collector: FollowedCollector, page: int = PAGE) -> list[Event]:
    """The events of all questions, until there is none."""
    events: list[Event] = []
    for _ in range(100):
        question = core.question
        if question is None:
            return events
        try:
            events += core.take_answer(question, collector.answer(question, page))
        except Unreachable as error:
            return events + core.take_absence(str(error))
        except TickflagError as error:
            events += core.take_refusal(question, str(error))
    raise AssertionError(f"{core.question} again and again")


def following(collector: FollowedCollector) -> FollowerCore:
    core = FollowerCore()
    answered(core, collector)
    return core


def numbers(events: list[Event]) -> list[int]:
    return [one.seq for event in events if isinstance(event, NewSignals) for one in event.signals]


def notices(events: list[Event]) -> list[int]:
    return [one.seq for event in events if isinstance(event, NewNotices) for one in event.notices]


def refusing(text: str) -> Callable[..., Any]:
    def answer(question: JournalQuestion, _page: int = 0) -> Any:
        raise TickflagError(text)

    return answer


def test_it_begins_with_a_snapshot() -> None:
    """All match sets, as of a place; signals and notices before it are not given."""
    collector = FollowedCollector()
    collector.commit(5)
    collector.note(2)
    core = FollowerCore()
    (snapshot,) = answered(core, collector)
    place = Place("journal 0", 5, 2)
    assert snapshot == MatchSets(place, collector.matches, "start", 1, None)
    assert core.place == place


def test_it_goes_on_at_its_place() -> None:
    """What came meanwhile is read page by page, without a snapshot."""
    collector = FollowedCollector()
    collector.commit(2_500)
    collector.note(3)
    core = FollowerCore(Place("journal 0", 100, 1))
    events = answered(core, collector)
    assert numbers(events) == list(range(101, 2_501))
    assert notices(events) == [2, 3]
    assert core.place == Place("journal 0", 2_500, 3)
    assert not any(isinstance(event, MatchSets) for event in events)


def test_live_messages_need_no_question() -> None:
    """Messages in order are given as they come; doubles and late ones are dropped without a question."""
    collector = FollowedCollector()
    core = following(collector)
    messages = [collector.commit(2), collector.commit(1)]
    assert [numbers(core.take_message(one)) for one in messages] == [[1, 2], [3]]
    assert [core.take_message(one) for one in messages] == [[], []]
    noted = collector.note(1)
    assert notices(core.take_message(noted)) == [1]
    assert core.take_message(noted) == []
    assert core.question is None


def test_a_hole_is_filled_before_what_follows_it() -> None:
    """The message behind the hole is dropped, and comes with the answer; a heartbeat shows a hole, too."""
    collector = FollowedCollector()
    core = following(collector)
    collector.commit(2)
    assert core.take_message(collector.commit(1)) == []
    assert core.question == JournalQuestion("signals", {"since": 0, "limit": PAGE, "journal_id": "journal 0"})
    assert numbers(answered(core, collector)) == [1, 2, 3]
    collector.commit(1)
    collector.note(1)
    assert core.take_message(collector.heartbeat()) == []
    events = answered(core, collector)
    assert (numbers(events), notices(events)) == ([4], [1])
    collector.note(1)
    assert core.take_message(collector.note(1)) == []
    assert notices(answered(core, collector)) == [2, 3]


@pytest.mark.parametrize("lost", [0, 3])
def test_another_journal_is_a_snapshot_and_all_its_notices(lost: int) -> None:
    """What was added up is void; a late message of the journal before changes nothing and asks nothing."""
    collector = FollowedCollector()
    core = following(collector)
    late = collector.commit(2)
    core.take_message(late)
    before = core.place
    collector.lose(lost)
    assert core.take_message(collector.commit(1)) == []
    snapshot, notice = answered(core, collector)
    place = Place("journal 1", 3 + lost, 0)
    assert snapshot == MatchSets(place, collector.matches, "another journal", 3 + lost, before)
    assert isinstance(notice, NewNotices)
    assert (notices([notice]), notice.missed) == ([1], 0)
    assert core.take_message(late) == []
    assert core.question is None


def test_signals_that_are_no_longer_kept_are_a_snapshot() -> None:
    """It says from where to where there are none; notices that are gone are counted."""
    collector = FollowedCollector()
    collector.commit(300)
    collector.note(30)
    collector.prune(10)
    before = Place("journal 0", 100, 5)
    core = FollowerCore(before)
    snapshot, news = answered(core, collector)
    assert snapshot == MatchSets(Place("journal 0", 300, 5), collector.matches, "no longer kept", 291, before)
    assert isinstance(news, NewNotices)
    assert (notices([news]), news.missed) == (list(range(21, 31)), 15)
    collector.note(1)
    collector.prune(0)
    core.doubt()
    assert answered(core, collector) == [NewNotices(Place("journal 0", 300, 31), (), 1)]


@pytest.mark.parametrize("place", [Place("journal 0", 9, 0), Place("journal 0", 3, 9), Place("another", 1, 1)])
def test_a_place_that_is_none_of_this_journal(place: Place) -> None:
    """Following begins with a snapshot then."""
    collector = FollowedCollector()
    collector.commit(3)
    core = FollowerCore(place)
    (snapshot,) = answered(core, collector)
    assert snapshot == MatchSets(Place("journal 0", 3, 0), collector.matches, "another journal", 1, place)


def test_absence_is_said_once_and_so_is_the_return() -> None:
    """Afterwards it is asked for all that came meanwhile."""
    collector = FollowedCollector()
    core = following(collector)
    collector.commit(2)
    collector.running = False
    core.doubt()
    assert answered(core, collector) == [CollectorAway("no collector is running")]
    assert answered(core, collector) == []
    collector.running = True
    back, *events = answered(core, collector)
    assert back == CollectorBack()
    assert numbers(events) == [1, 2]
    collector.running = False
    core.doubt()
    answered(core, collector)
    collector.running = True
    collector.lose(1)
    assert [type(event) for event in answered(core, collector)] == [CollectorBack, MatchSets, NewNotices]


def test_a_refusal_without_a_reason_is_raised() -> None:
    """The first one may have been about a journal that is gone by now; so may the next, after an answer. A snapshot
    that is refused says it at once."""
    collector = FollowedCollector()
    core = following(collector)
    for _ in range(2):
        collector.commit(1)
        core.doubt()
        question = core.question
        assert question is not None
        core.take_refusal(question, "no")
        assert len(numbers(answered(core, collector))) == 1
    core.doubt()
    question = core.question
    assert question is not None
    core.take_refusal(question, "no")
    snapshot = core.question
    assert snapshot is not None
    assert core.take_answer(snapshot, collector.answer(snapshot)) == []
    core.take_refusal(question, "no, really")
    with pytest.raises(TickflagError, match="no, really"):
        core.take_answer(snapshot, collector.answer(snapshot))
    collector.answer = refusing("not today")  # type: ignore[method-assign]
    with pytest.raises(TickflagError, match="not today"):
        answered(FollowerCore(), collector)


def test_a_page_with_a_hole_is_not_believed() -> None:
    """A snapshot is asked in its place."""
    collector = FollowedCollector()
    core = following(collector)
    collector.commit(3)
    core.doubt()
    question = core.question
    assert question is not None
    page = collector.answer(question)
    del page["signals"][1]
    assert core.take_answer(question, page) == []
    assert core.question == JournalQuestion("snapshot")
    assert core.take_message(collector.commit(1)) == []
    assert numbers(answered(core, collector)) == [1, 2, 3, 4]


def test_a_collector_of_an_older_version_has_no_journal_id() -> None:
    """It is followed by numbers alone; a heartbeat with a lower number shows another journal."""
    collector = FollowedCollector(ids=False)
    core = following(collector)
    assert numbers(core.take_message(collector.commit(5))) == [1, 2, 3, 4, 5]
    collector.commit(1)
    core.take_message(collector.heartbeat())
    assert numbers(answered(core, collector)) == [6]
    collector.lose(0)
    collector.commit(2)
    core.take_message(collector.heartbeat())
    (snapshot,) = answered(core, collector)
    assert isinstance(snapshot, MatchSets)
    assert (snapshot.why, snapshot.place) == ("another journal", Place("", 2, 1))
    late = Signals(signals=[], last_seq=1)
    assert core.take_message(late) == []
    assert answered(core, collector) == []


def test_messages_before_the_first_snapshot_are_left_to_it() -> None:
    """Its place is not known yet, so it cannot be told what is new."""
    collector = FollowedCollector()
    core = FollowerCore()
    assert core.take_message(collector.commit(1)) == []
    assert core.question == JournalQuestion("snapshot")
