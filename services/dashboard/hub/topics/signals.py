"""The topics `signals` and `notices`: the journal, as it flows or from a place on."""

from typing import Any

from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.refusals import Refused
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.live_search import MOST_STEPS, LiveSearch
from tickflag.services.dashboard.hub.topics.topic import Ready, Sight, Topic, Waiting

EVENTS = ("", "entered", "left", "score")
MOST = 1_000
LIVE_S, PAST_S = 0.5, 30.0


def search_of(arguments: TopicArguments) -> tuple[dict[str, int], dict[str, str]]:
    """Where a search in the journal begins, and its filters, as the collector's `signals.find` has them. Raises
    Refused."""
    since, before, time_ms = (arguments.number(name) for name in ("since", "before", "time_ms"))
    wanted = {name: arguments.text(name, "") for name in ("trader", "symbol", "text")}
    wanted["event"] = arguments.choice("event", EVENTS, "")
    places = (("since", since), ("before", before), ("time_ms", time_ms))
    place = {name: value for name, value in places if value is not None}
    if len(place) > 1:
        raise Refused("signals are searched for from one place: give one of since, before and time_ms")
    return place, {name: value for name, value in wanted.items() if value}


def _signals(arguments: TopicArguments) -> Ready:
    place, filters = search_of(arguments)
    count = arguments.count("count", 200, MOST, 1)
    arguments.end()
    live = LiveSearch(filters, count)

    def answer(sight: Sight, _trusted: bool) -> Answer:
        if place:
            return Answer(_from_place(sight, place, filters, count))
        signals = live.signals(sight)
        status = sight.ask("collector", "status") or {"collector": {"first_seq": None}}
        collector = sight.collector
        bounds = {"first_seq": status["collector"]["first_seq"], "last_seq": collector.seq, "away": collector.away}
        return Answer({"journal_id": collector.journal_id, **bounds, "whole": live.whole, "signals": signals})

    return answer


def _from_place(sight: Sight, place: dict[str, int], filters: dict[str, str], count: int) -> dict[str, Any]:
    """The signals that fit from a number or time on, newest first. Raises Waiting until all are there."""
    signals: list[dict[str, Any]] = []
    upwards = "since" in place
    for _ in range(MOST_STEPS):
        every_s = LIVE_S if upwards else PAST_S
        page = sight.need("collector", "signals.find", every_s, **place, **filters, limit=count - len(signals))
        signals += page["signals"]
        if page["whole"] or len(signals) >= count:
            break
        place = {"since" if upwards else "before": page["reached"]}
    if upwards:
        signals.reverse()
    numbers = {name: page[name] for name in ("journal_id", "first_seq", "last_seq", "whole")}
    return {**numbers, "signals": signals}


def _notices(arguments: TopicArguments) -> Ready:
    count = arguments.count("count", 200, MOST, 1)
    arguments.end()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        collector = sight.collector
        if not collector.ready and not collector.away:
            raise Waiting
        notices = list(collector.notices)
        bounds = {"first_seq": notices[0]["seq"] if notices else None, "last_seq": notices[-1]["seq"] if notices else 0}
        return Answer({**bounds, "notices": notices[::-1][:count]})

    return answer


TOPICS = (Topic("signals", _signals, 0.0, follows=True), Topic("notices", _notices, 1.0, follows=True))
