"""FollowedEvents: what the events of a follower add up to; an event that does not fit behind the last one fails."""

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


class FollowedEvents:
    """Keeps what a program would keep that lives off a follower."""

    def __init__(self) -> None:
        self.place: Place | None = None
        self.matches: dict[str, dict[str, float]] = {}
        self.signals: list[Any] = []
        """All that were given, over all journals."""
        self.notices: list[Any] = []
        self.snapshots: list[MatchSets] = []
        self.told: list[str] = []
        """`away` and `back`, in turns."""

    @property
    def away(self) -> bool:
        return self.told[-1:] == ["away"]

    def apply(self, event: Event) -> None:
        """Take the next event. Raises AssertionError for a hole, a double, or a state that is told twice."""
        match event:
            case MatchSets():
                assert event.before == self.place
                assert (event.why == "start") == (self.place is None)
                self.matches = {trader: dict(scores) for trader, scores in event.matches.items()}
                self.snapshots.append(event)
                self.place = event.place
            case NewSignals(place, signals):
                assert self.place is not None
                assert (place.journal_id, place.notice) == (self.place.journal_id, self.place.notice)
                assert [one.seq for one in signals] == list(range(self.place.signal + 1, place.signal + 1))
                for signal in signals:
                    scores = self.matches.setdefault(signal.trader, {})
                    assert (signal.symbol in scores) == (signal.event != "entered")
                    scores[signal.symbol] = signal.score
                    if signal.event == "left":
                        del scores[signal.symbol]
                self.signals += signals
                self.place = place
            case NewNotices(place, notices, missed):
                assert self.place is not None
                assert (place.journal_id, place.signal) == (self.place.journal_id, self.place.signal)
                assert [one.seq for one in notices] == list(range(self.place.notice + missed + 1, place.notice + 1))
                self.notices += notices
                self.place = place
            case CollectorAway():
                assert not self.away
                self.told.append("away")
            case CollectorBack():
                assert self.away
                self.told.append("back")
