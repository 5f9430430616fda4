"""Subscriptions: who looks at what. What several look at is computed once for all of them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.registry import topic_of
from tickflag.services.dashboard.hub.topics.topic import Ready, Topic
from tickflag.services.dashboard.hub.viewer import Viewer

Place = tuple[Viewer, int]
_Key = tuple[str, str, bool]


@dataclass(eq=False)
class WatchedTopic:
    """A topic with arguments, and all who look at it."""

    topic: Topic
    ready: Ready
    trusted: bool
    places: dict[Place, None] = field(default_factory=dict)
    due_s: float = 0.0
    answer: Answer | None = None
    frame: str | bytes | None = None
    """Of `answer`, to tell whether the next one is another."""
    error: str = ""
    waits_from_s: float | None = None
    """Since when it has had no answer, as one of a service is on its way."""


class Subscriptions:
    """One thread."""

    def __init__(self) -> None:
        self._watched: dict[_Key, WatchedTopic] = {}
        self._keys: dict[Place, _Key] = {}

    def __iter__(self) -> Iterator[WatchedTopic]:
        return iter(list(self._watched.values()))

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, viewer: Viewer, identity: int, name: str, arguments: Mapping[str, Any]) -> WatchedTopic:
        """Begin to look; what has the same viewer and id ends, also where this is refused. Raises Refused."""
        self.remove(viewer, identity)
        topic, ready = prepared(name, arguments)
        trusted = topic.private and viewer.trusted
        key = (name, json.dumps(arguments, sort_keys=True), trusted)
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = WatchedTopic(topic, ready, trusted)
        watched.places[viewer, identity] = None
        self._keys[viewer, identity] = key
        return watched

    def remove(self, viewer: Viewer, identity: int) -> None:
        """End a subscription; one that is unknown, too."""
        key = self._keys.pop((viewer, identity), None)
        if key is not None:
            watched = self._watched[key]
            del watched.places[viewer, identity]
            if not watched.places:
                del self._watched[key]

    def drop(self, viewer: Viewer) -> None:
        """End all subscriptions of a viewer."""
        for place in [place for place in self._keys if place[0] is viewer]:
            self.remove(*place)


def prepared(name: str, arguments: Mapping[str, Any]) -> tuple[Topic, Ready]:
    """The topic and what makes its answers. Raises Refused."""
    topic = topic_of(name)
    checked = TopicArguments(name, arguments)
    ready = topic.prepare(checked)
    return topic, ready
