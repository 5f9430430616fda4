"""The topics `flags`, `flag` and `explain`: the feature flags and what was measured of them."""

from typing import Any

from tickflag.common.flags import in_words
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.refusals import NotFound
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.topic import Ready, Sight, Topic

HISTORY = 100


def _flags(arguments: TopicArguments) -> Ready:
    arguments.end()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        return Answer(sight.need("collector", "flags.list"))

    return answer


def _flag(arguments: TopicArguments) -> Ready:
    name = arguments.text("flag")
    arguments.end()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        flags = sight.need("collector", "flags.list")["flags"]
        flag = next((one for one in flags if one["flag"] == name), None)
        if flag is None:
            raise NotFound(f"no feature flag {name!r}: known are {', '.join(one['flag'] for one in flags)}")
        history = [_worded(one) for one in sight.need("collector", "flags.history", flag=name, limit=HISTORY)]
        measured = sight.need("collector", "experiments")["experiments"]
        experiment = next((one for one in measured if one["flag"] == name), None)
        return Answer({**flag, "history": history, "experiment": experiment})

    return answer


def _worded(change: dict[str, Any]) -> dict[str, Any]:
    """A change with its values as people read them."""
    return change | {side: in_words(change["field"], change[side]) for side in ("before", "after")}


def _explain(arguments: TopicArguments) -> Ready:
    wanted: dict[str, Any] = {"flag": arguments.text("flag"), "name": arguments.text("name")}
    owner = arguments.text("owner", "")
    arguments.end()
    if owner:
        wanted["owner"] = owner

    def answer(sight: Sight, _trusted: bool) -> Answer:
        return Answer(sight.need("collector", "flags.explain", **wanted))

    return answer


TOPICS = (Topic("flags", _flags, 1.0), Topic("flag", _flag, 1.0), Topic("explain", _explain, 1.0))
