"""CollectorLink: when it asks, when it waits, and what ends it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.followed_collector import FollowedCollector
from tickflag.common.client.follower import link as link_module
from tickflag.common.client.follower.core import JournalQuestion
from tickflag.common.client.follower.events import CollectorAway, CollectorBack, Event, MatchSets, NewSignals
from tickflag.common.client.follower.link import MESSAGES_PER_STEP, RETRY_S, SILENCE_S, CollectorLink
from tickflag.common.client.follower.signal_feed import SignalFeed
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.wire.messages import Notices, Reply, Signals
from tickflag.common.wire.requests import KeyRefused, Unreachable


class FakeClient:
    """Asks a plain model of the collector; the answer comes at once, or is owed."""

    collector: FollowedCollector
    refused = owes = False

    def __init__(self, *_arguments: Any, **_more: Any) -> None:
        self.asked: list[str] = []
        self.socket: Any = "the client's socket"
        self._question = JournalQuestion("")

    def send(self, what: str, **arguments: Any) -> None:
        if self.refused:
            raise KeyRefused("the key")
        if not self.collector.running:
            raise Unreachable("no collector")
        self.asked.append(what)
        self._question = JournalQuestion(what, arguments)

    def try_answer(self) -> Reply | None:
        if self.refused:
            raise KeyRefused("the key")
        if self.owes:
            return None
        try:
            if self._question.what == "status":
                raise TickflagError("no status today")
            return Reply(id=1, result=self.collector.answer(self._question))
        except Unreachable:
            raise
        except TickflagError as error:
            return Reply(id=1, error=str(error))

    def close(self) -> None:
        pass


class LinkHarness:
    """A link on a clock that the test moves."""

    def __init__(self, runtime: Runtime, collector: FollowedCollector) -> None:
        self.collector = collector
        self.messages: list[Signals | Notices] = []
        self.now_s = 0.0
        self.link = CollectorLink(runtime, None, None, lambda: self.now_s)
        self.client: FakeClient = self.link._client  # type: ignore[assignment]

    def run(self) -> list[Event]:
        """The events until nothing is left to do at this time."""
        events: list[Event] = []
        for _ in range(100):
            self.link.step()
            while (event := self.link.take_event()) is not None:
                events.append(event)
            if self.link._asked is None and self.link.idle_s() > 0:
                break
        return events


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[LinkHarness]:
    """A link that has taken its snapshot."""
    collector = FollowedCollector()
    monkeypatch.setattr(FakeClient, "collector", collector, raising=False)
    monkeypatch.setattr(link_module, "Client", FakeClient)
    with runtime_folder() as runtime:
        harness = LinkHarness(runtime, collector)
        monkeypatch.setattr(SignalFeed, "receive", lambda _feed: harness.messages.pop(0) if harness.messages else False)
        (snapshot,) = harness.run()
        assert isinstance(snapshot, MatchSets)
        try:
            yield harness
        finally:
            harness.link.close()
            harness.link.close()
        with pytest.raises(ValueError, match="the follower is closed"):
            harness.link.step()


def test_silence_leads_to_a_question(harness: LinkHarness) -> None:
    """As long as messages come, nothing is asked; what no message told of is found after a silence."""
    harness.client.asked.clear()
    assert harness.link.idle_s() == SILENCE_S
    assert harness.link.sockets == harness.link._feed.sockets
    harness.collector.commit(1)
    for _ in range(3):
        harness.now_s += SILENCE_S * 0.9
        harness.messages.append(Signals(signals=[], last_seq=0, journal_id=harness.collector.journal_id))
        assert harness.run() == []
    assert harness.client.asked == []
    harness.now_s += SILENCE_S
    (found,) = harness.run()
    assert isinstance(found, NewSignals)
    assert harness.client.asked == ["signals", "notices"]


def test_a_collector_that_is_away_is_asked_again_after_a_while(harness: LinkHarness) -> None:
    """Messages wake it earlier: where one comes, the collector is back."""
    harness.collector.running = False
    harness.now_s += SILENCE_S
    assert harness.run() == [CollectorAway("no collector")]
    assert 0 < harness.link.idle_s() <= RETRY_S
    harness.collector.running = True
    assert harness.run() == []
    harness.messages.append(harness.collector.commit(1))
    events = harness.run()
    assert [type(event) for event in events] == [NewSignals, CollectorBack]
    harness.client.owes = True
    harness.now_s += SILENCE_S
    harness.link.step()
    harness.link.step()
    assert harness.link.sockets == [harness.client.socket]
    harness.collector.running = harness.client.owes = False
    assert harness.run() == [CollectorAway("no collector is running")]


def test_messages_are_read_in_parts(harness: LinkHarness) -> None:
    """However many there are, a step ends soon; a hole ends it at once."""
    harness.messages += [harness.collector.commit(1) for _ in range(MESSAGES_PER_STEP + 5)]
    harness.link.step()
    assert len(harness.messages) == 5
    harness.run()
    harness.collector.commit(1)
    harness.messages += [harness.collector.commit(1), True, True]  # type: ignore[list-item]
    harness.link.step()
    assert len(harness.messages) == 2
    assert len(harness.run()) == 1


def test_another_place_drops_what_was_not_taken(harness: LinkHarness) -> None:
    """It comes again; that the collector is away or back is kept."""
    harness.messages.append(harness.collector.commit(3))
    harness.collector.running = False
    harness.link.step()
    harness.now_s += SILENCE_S
    harness.link.step()
    harness.link.seek(None)
    assert harness.link.take_event() == CollectorAway("no collector")
    assert harness.link.take_event() is None
    harness.collector.running = True
    harness.now_s += RETRY_S
    assert [type(event) for event in harness.run()] == [CollectorBack, MatchSets]


@pytest.mark.parametrize("owes", [True, False])
def test_a_key_that_is_refused_ends_it(harness: LinkHarness, owes: bool) -> None:
    """Waiting would not help."""
    harness.client.owes = owes
    harness.now_s += SILENCE_S
    if owes:
        harness.link.step()
    harness.client.refused = True
    with pytest.raises(KeyRefused, match="the key"):
        harness.link.step()


def test_a_refused_status_ends_it(harness: LinkHarness) -> None:
    """Without it, nobody knows where the signals of another machine are. Other refusals lead to a snapshot."""
    harness.collector.commit(3)
    harness.collector.prune(1)
    harness.now_s += SILENCE_S
    (snapshot,) = harness.run()
    assert isinstance(snapshot, MatchSets)
    assert snapshot.why == "no longer kept"
    harness.link._feed.wants_address = True
    with pytest.raises(TickflagError, match="no status today"):
        harness.run()


def test_where_descriptors_are_short_it_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """ZeroMQ would end the process."""
    monkeypatch.setattr(link_module, "descriptor_shortage", lambda what, _count: f"no descriptors for {what}")
    with runtime_folder() as runtime, pytest.raises(TickflagError, match="no descriptors for a follower"):
        CollectorLink(runtime, None, None)
