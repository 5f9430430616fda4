"""TopicArguments: what comes from outside has the right type, or is refused with its name."""

import contextlib
from typing import Any

import pytest

from tickflag.services.dashboard.hub.refusals import Refused
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.registry import TOPICS, topic_of

HOSTILE: tuple[Any, ...] = (
    True, -1, 1.5, "x" * 200, [[]], {"a": {}}, [1], ["a", "b"] * 300, {"last": [1]}, {"last": ["a", None]},
    {"nope": [1, 2]}, [["last", "up"]], [["nope", "asc"]], [["last"]], 1e400, 10**30,
)  # fmt: skip
NAMES = (
    "traders", "text", "sort", "ranges", "first", "count", "symbol", "interval", "trader", "since", "before", "time_ms",
    "event", "span", "flag", "name", "owner", "what",
)  # fmt: skip


@pytest.mark.parametrize("topic", TOPICS)
def test_hostile_arguments_are_refused(topic: str) -> None:
    """Each topic either takes a value or refuses it; nothing else is raised."""
    for name in NAMES:
        for value in HOSTILE:
            with contextlib.suppress(Refused):
                topic_of(topic).prepare(TopicArguments(topic, {name: value}))


def test_topics_that_are_none() -> None:
    """The refusal lists those there are."""
    with pytest.raises(Refused, match="there is no topic 'nope': there are overview, history"):
        topic_of("nope")


def test_sort_and_ranges() -> None:
    """As the window wants them; what is not given is none."""
    arguments = TopicArguments("t", {"sort": [["last", "desc"], ["score", "asc"]], "ranges": {"score": [0, None]}})
    assert arguments.sort("sort", ("last", "score")) == (("last", True), ("score", False))
    assert arguments.ranges("ranges", ("last", "score")) == (("score", 0, None),)
    assert arguments.sort("other", ()) == ()
    assert arguments.ranges("other", ()) == ()
    arguments.end()


def test_names_and_numbers() -> None:
    """Names come once each, sorted; None is the same as not given."""
    arguments = TopicArguments("t", {"names": ["b", "a", "b"], "none": None, "since": 0, "text": None, "count": None})
    assert arguments.names("names") == ("a", "b")
    assert arguments.names("none") is None
    assert (arguments.number("since"), arguments.number("since")) == (0, None)
    assert (arguments.text("text", "x"), arguments.count("count", 7, 9)) == ("x", 7)
    with pytest.raises(Refused, match="argument 'text' of 't' must be a text"):
        arguments.text("text")


def test_what_is_left_is_refused() -> None:
    """Nobody thinks that an argument was heard that was not."""
    with pytest.raises(Refused, match="'t' has no argument 'other'"):
        TopicArguments("t", {"other": 1}).end()
