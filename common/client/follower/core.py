"""FollowerCore: what a follower knows, what it has to ask next, and what follows from each message and answer.

No signal and no notice is given twice, out of order, or after a hole. What does not fit directly behind the place is
dropped and asked for, so a message may be lost, late or double. Where the journal cannot give what is missing, a
snapshot takes the place of the signals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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
from tickflag.common.wire.messages import Notice, Notices, Signal, Signals

PAGE = 1_000  # signals or notices of one answer


@dataclass(frozen=True, slots=True)
class JournalQuestion:
    """A request to the collector."""

    what: str
    arguments: dict[str, Any] = field(default_factory=dict)


class FollowerCore:
    """Pure: no socket, no clock. The owner asks `question` as long as there is one, and hands in what comes: the answer
    to it, its refusal, or that the collector is away; and between questions the messages of the signal feed.

    Whoever holds a `place` of before goes on there; whoever holds none begins with a snapshot.
    """

    def __init__(self, place: Place | None = None) -> None:
        self.place = place
        """After the events given so far; None before the first snapshot."""
        self.away = False
        self._newest_signal = self._newest_notice = 0  # numbers heard of in this journal
        self._unsure: set[str] = set()
        self._refusal = ""
        self._unexplained = ""
        self._former: set[str] = set()
        self.doubt()

    @property
    def question(self) -> JournalQuestion | None:
        """What to ask the collector now; None where nothing is known to be missing."""
        place = self.place
        if place is None or self._refusal:
            return JournalQuestion("snapshot")
        if "signals" in self._unsure or self._newest_signal > place.signal:
            return _page("signals", place.journal_id, place.signal)
        if "notices" in self._unsure or self._newest_notice > place.notice:
            return _page("notices", place.journal_id, place.notice)
        return None

    def doubt(self) -> None:
        """Ask what there is, though no message told of anything: after a silence, or at the start."""
        self._unsure = {"signals", "notices"}

    def take_message(self, message: Signals | Notices) -> list[Event]:
        """A message of the signal feed."""
        place = self.place
        if place is None or self._refusal or message.journal_id in self._former:
            return []
        if message.journal_id != place.journal_id:  # it is an old one, or the journal is another one: the answer tells
            self.doubt()
            return []
        if isinstance(message, Notices):
            return self._give_notices(message.notices, message.last_seq)
        self._newest_notice = max(self._newest_notice, message.last_notice)
        if not message.journal_id and not message.signals and message.last_seq < place.signal:
            self.doubt()  # a collector of an older version has no journal id: only a lower number shows another journal
        return self._give_signals(message.signals, message.last_seq)

    def take_answer(self, question: JournalQuestion, result: Any) -> list[Event]:
        """The collector's answer to `question`. Raises TickflagError where it refused a question for no reason that
        a snapshot shows."""
        events = self._come_back()
        if question.what == "snapshot":
            return events + self._take_snapshot(result)
        assert self.place is not None
        what, since = question.what, question.arguments["since"]
        rows, last = result[what], result["last_seq"]
        start = max(since, result.get("first_seq", 1) - 1) if what == "notices" else since
        reached = rows[-1]["seq"] if rows else last
        if result.get("journal_id", "") != self.place.journal_id or reached != start + len(rows):
            self._refusal = f"the collector has no {what} of journal {self.place.journal_id!r} after {since:,}"
            return events
        self._unsure.discard(what)
        self._unexplained = ""
        if what == "signals":
            return events + self._give_signals([Signal(**row) for row in rows], last)
        return events + self._give_notices([Notice(**row) for row in rows], last, start)

    def take_refusal(self, question: JournalQuestion, error: str) -> list[Event]:
        """The collector refused `question`: a snapshot will tell why. Raises TickflagError where it refused that."""
        if question.what == "snapshot":
            raise TickflagError(error)
        self._refusal = error
        return self._come_back()

    def take_absence(self, reason: str) -> list[Event]:
        """The collector does not run, or did not answer."""
        self.doubt()
        if self.away:
            return []
        self.away = True
        return [CollectorAway(reason)]

    def _come_back(self) -> list[Event]:
        if not self.away:
            return []
        self.away = False
        return [CollectorBack()]

    def _take_snapshot(self, result: Any) -> list[Event]:
        refusal, self._refusal = self._refusal, ""
        found = Place(result.get("journal_id", ""), result["last_seq"], result.get("last_notice", 0))
        first = result.get("first_seq", found.signal + 1)
        before = self.place
        if before is None:
            return self._begin(MatchSets(found, result["matches"], "start", first, None))
        if found.journal_id != before.journal_id:
            # The notices of the new journal id are all given: one of them says what was lost.
            self._former.add(before.journal_id)
            place = replace(found, notice=result.get("after_notice", found.notice))
            return self._begin(MatchSets(place, result["matches"], "another journal", first, before))
        if before.signal > found.signal or before.notice > found.notice:
            return self._begin(MatchSets(found, result["matches"], "another journal", first, before))
        if before.signal < first - 1:
            place = replace(found, notice=before.notice)
            return self._begin(MatchSets(place, result["matches"], "no longer kept", first, before))
        if self._unexplained:
            raise TickflagError(refusal)
        self._unexplained = refusal
        return []

    def _begin(self, event: MatchSets) -> list[Event]:
        """Go on at the place of a snapshot."""
        self.place = event.place
        self._newest_signal = self._newest_notice = 0
        self._unexplained = ""
        self.doubt()
        return [event]

    def _give_signals(self, signals: Sequence[Signal], last: int) -> list[Event]:
        """Those that are new, if they come directly after the place."""
        place = self.place
        assert place is not None
        self._newest_signal = max(self._newest_signal, last)
        fresh = tuple(signal for signal in signals if signal.seq > place.signal)
        if not fresh or fresh[-1].seq != place.signal + len(fresh):
            return []
        self.place = replace(place, signal=fresh[-1].seq)
        return [NewSignals(self.place, fresh)]

    def _give_notices(self, notices: Sequence[Notice], last: int, kept_after: int = 0) -> list[Event]:
        """Those that are new, if they come directly after the place, or after the number from which they are kept."""
        place = self.place
        assert place is not None
        self._newest_notice = max(self._newest_notice, last)
        start = max(place.notice, kept_after)
        fresh = tuple(notice for notice in notices if notice.seq > start)
        missed = start - place.notice
        if not (fresh or missed) or (fresh and fresh[-1].seq != start + len(fresh)):
            return []
        self.place = replace(place, notice=start + len(fresh))
        return [NewNotices(self.place, fresh, missed)]


def _page(what: str, journal_id: str, since: int) -> JournalQuestion:
    journal = {"journal_id": journal_id} if journal_id else {}
    return JournalQuestion(what, {"since": since, "limit": PAGE, **journal})
