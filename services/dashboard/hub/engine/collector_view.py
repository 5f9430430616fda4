"""CollectorView: match sets, signals and notices as they come, kept while somebody looks."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tickflag.common.client.follower.events import (
    CollectorAway,
    CollectorBack,
    Event,
    MatchSets,
    NewNotices,
    NewSignals,
)
from tickflag.common.client.follower.link import CollectorLink
from tickflag.common.client.questions import Questions
from tickflag.common.client.recent_signals import KEEP, RecentSignals
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.messages import Signal
from tickflag.services.dashboard.hub.matches.match_table import MatchTable

EVENTS_PER_STEP = 50
PAST_PAGE, PAST_PAGES, MINUTE_PAGES = 5_000, 10, 60
"""So much of the journal is read at most for the times at which the present matches entered, and for what came and went
in the last minute. The first page holds only the newest signals, so that whoever begins to look does not wait for the
others."""
KEPT_NOTICES = 1_000


class CollectorView:
    """One thread; no method waits. `rest` gives up following until the next `step`."""

    def __init__(self, runtime: Runtime, questions: Questions) -> None:
        self._runtime, self._questions = runtime, questions
        self._link: CollectorLink | None = None
        self.table = MatchTable()
        self.signals = RecentSignals()
        self.notices: deque[dict[str, Any]] = deque(maxlen=KEPT_NOTICES)
        self.ready = False
        """A snapshot came since following began."""
        self.away = ""
        """Why the collector cannot be asked; empty where it can."""
        self.seq = 0
        """Number of the last signal that the table has."""
        self.journal_id = ""
        self._pages = 0
        self.settled = False
        """The newest signals of before the snapshot are known, too."""

    def step(self, now_ms: float) -> bool:
        """Take what came; gives whether anything did."""
        if self._link is None:
            self._link = CollectorLink(self._runtime, None, None)
        changed = False
        try:
            for _ in range(EVENTS_PER_STEP):
                self._link.step()
                event = self._link.take_event()
                if event is None:
                    break
                changed = True
                self._apply(event)
        except TickflagError as error:  # a question was refused for no reason that a snapshot shows: begin anew
            self.away = str(error)
            self.rest()
        self.table.expire(now_ms)
        return changed

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way, so that the next step should come soon."""
        return self._link is not None and not self.settled and not self.away

    def rest(self) -> None:
        """Follow no more. What is known stays, until following begins anew with a snapshot."""
        if self._link is not None:
            self._link.close()
            self._link = None
        self.ready = self.settled = False

    def _apply(self, event: Event) -> None:
        match event:
            case MatchSets():
                self.table.replace(event.matches)
                self.signals.clear()
                self.notices.clear()
                self.seq, self.journal_id = event.place.signal, event.place.journal_id
                self.ready, self.away = True, ""
                self._pages, self.settled = 0, False
                self._read_past(self.seq + 1)
                self._read_notices(event.place.notice)
            case NewSignals():
                for signal in event.signals:
                    self.table.apply(signal)
                self.signals.add([_document(signal) for signal in event.signals])
                self.seq = event.place.signal
            case NewNotices():
                self.notices.extend(notice.model_dump() for notice in event.notices)
            case CollectorAway():
                self.away = event.reason
            case CollectorBack():
                self.away = ""

    def _read_past(self, before: int) -> None:
        """Read the journal back from a number, for the newest signals, and for times and notes of the matches."""
        journal_id = self.journal_id

        def take(answer: Any, error: TickflagError | None) -> None:
            if journal_id != self.journal_id:
                return
            self.settled = True
            if error is not None:
                return
            signals = [Signal(**signal) for signal in answer["signals"]]
            for signal in signals:
                self.table.explain(signal)
            self.signals.prepend([_document(signal) for signal in signals[::-1]], answer["whole"])
            self._pages += 1
            minute_is_known = self.signals.last_minute(wall_ms()) is not None
            most = (PAST_PAGES if self.table.unexplained else 0) if minute_is_known else MINUTE_PAGES
            if not answer["whole"] and self._pages < most:
                self._read_past(answer["reached"])

        limit = PAST_PAGE if self._pages else KEEP
        arguments = {"before": before, "limit": limit, "journal_id": journal_id}
        self._questions.ask("collector", "signals.find", arguments, take)

    def _read_notices(self, last: int) -> None:
        journal_id = self.journal_id

        def take(answer: Any, error: TickflagError | None) -> None:
            if error is None and journal_id == self.journal_id:
                later = [notice for notice in self.notices if notice["seq"] > last]
                earlier = [notice for notice in answer["notices"] if notice["seq"] <= last]
                self.notices.clear()
                self.notices.extend((*earlier, *later))

        self._questions.ask("collector", "notices", {"journal_id": journal_id}, take)


def _document(signal: Signal) -> dict[str, Any]:
    return dict(signal.__dict__)


def wall_ms(clock: Callable[[], int] = time.time_ns) -> float:
    """UTC now."""
    return clock() / NS_PER_MS
