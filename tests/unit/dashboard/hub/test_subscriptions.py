"""Subscriptions: those who look at the same share it."""

from typing import Any

import pytest

from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.refusals import Refused
from tickflag.services.dashboard.hub.subscriptions import Subscriptions


class Viewer:
    def __init__(self, trusted: bool = False) -> None:
        self.trusted = trusted

    def put(self, identity: int, answer: Answer) -> None: ...
    def refuse(self, identity: int, error: str) -> None: ...


def test_those_who_look_at_the_same_share_it() -> None:
    """One computation for all of them; it ends with the last one."""
    subscriptions, first, second = Subscriptions(), Viewer(), Viewer(trusted=True)
    one = subscriptions.add(first, 1, "matches", {"count": 5, "text": "a"})
    assert subscriptions.add(second, 7, "matches", {"text": "a", "count": 5}) is one
    assert subscriptions.add(second, 8, "matches", {"count": 6}) is not one
    assert len(subscriptions) == 2
    subscriptions.drop(second)
    subscriptions.drop(second)
    assert list(subscriptions) == [one]
    subscriptions.remove(first, 1)
    subscriptions.remove(first, 1)
    assert len(subscriptions) == 0


def test_the_token_parts_where_it_shows_more() -> None:
    """Only there: other topics are the same with and without it."""
    subscriptions, stranger, friend = Subscriptions(), Viewer(), Viewer(trusted=True)
    assert subscriptions.add(stranger, 1, "debug", {}) is not subscriptions.add(friend, 1, "debug", {})
    assert subscriptions.add(stranger, 2, "flags", {}) is subscriptions.add(friend, 2, "flags", {})


@pytest.mark.parametrize(("topic", "arguments"), [("nope", {}), ("matches", {"count": "x"}), ("flags", {"x": 1})])
def test_the_same_id_replaces(topic: str, arguments: dict[str, Any]) -> None:
    """Also where the new one is refused: nothing is shown that was not asked for last."""
    subscriptions, viewer = Subscriptions(), Viewer()
    subscriptions.add(viewer, 1, "overview", {})
    watched = subscriptions.add(viewer, 1, "traders", {})
    assert list(subscriptions) == [watched]
    with pytest.raises(Refused):
        subscriptions.add(viewer, 1, topic, arguments)
    assert len(subscriptions) == 0
