"""Follower: the events of the collector, for programs that wait in a thread. `AsyncFollower` is its twin."""

import math
import os
import time
from pathlib import Path
from typing import Any, Self

import zmq

from tickflag.common import settings as configuration
from tickflag.common.client.engine_address import remote_engine
from tickflag.common.client.follower.events import CollectorAway, CollectorBack, Event, Place
from tickflag.common.client.follower.link import CollectorLink
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.units import MS_PER_S
from tickflag.common.wire.requests import RemoteEngine


def follow(
    place: Place | None = None, *, instance: str | None = None, root: str | os.PathLike[str] | None = None
) -> "Follower":
    """A Follower of the collector that the settings name, also that of another machine.

    Without a `place` it begins with a snapshot; with the place of an earlier one it goes on there. `instance` and
    `root` (the setting `runtime.root`) choose another engine of this machine. The collector may be started later.

        from tickflag import MatchSets, NewSignals, follow

        matching = {}
        with follow() as follower:
            for event in follower:
                match event:
                    case MatchSets():
                        matching = {trader: dict(scores) for trader, scores in event.matches.items()}
                    case NewSignals():
                        for signal in event.signals:
                            scores = matching.setdefault(signal.trader, {})
                            if signal.event == "left":
                                scores.pop(signal.symbol, None)
                            else:
                                scores[signal.symbol] = signal.score
                        break  # a program of yours goes on
    """
    settings = followed_settings(instance, root)
    return Follower(settings.runtime_folder(), remote_engine(settings), place)


def followed_settings(instance: str | None, root: str | os.PathLike[str] | None) -> Settings:
    """The settings, with another instance or root where given. Raises TickflagError as any command does."""
    given: dict[str, Any] = {} if instance is None else {"instance": instance}
    if root is not None:
        given["runtime"] = {"root": Path(root)}
    return configuration.load(**given)


class Follower:
    """Made by `follow`. Gives match sets, signals and notices, each once and in order, over restarts of the collector.

    It connects again by itself, and says once that the collector is away and that it is back. One thread.
    """

    def __init__(self, runtime: Runtime, remote: RemoteEngine | None = None, place: Place | None = None) -> None:
        self._link = CollectorLink(runtime, remote, place)
        self.place = place
        """After the last event given. Keep it together with what the events led to."""

    def wait_event(self, timeout_s: float = math.inf) -> Event | None:
        """The next event; None where none comes in time.

        Raises TickflagError where the key for another machine is missing there, or the collector refuses to answer.
        """
        deadline = time.monotonic() + timeout_s
        while (event := self._link.take_event()) is None:
            self._link.step()
            left_s = min(self._link.idle_s(), deadline - time.monotonic())
            if (event := self._link.take_event()) is not None:
                break
            if deadline <= time.monotonic():
                return None
            poller = zmq.Poller()
            for socket in self._link.sockets:
                poller.register(socket, zmq.POLLIN)
            poller.poll(math.ceil(max(0.0, left_s) * MS_PER_S))
        self.place = place_after(event, self.place)
        return event

    def seek(self, place: Place | None) -> None:
        """Go on from another place; None: from a snapshot."""
        self._link.seek(place)
        self.place = place

    def close(self) -> None:
        self._link.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.wait_event()
        assert event is not None
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def place_after(event: Event, place: Place | None) -> Place | None:
    """The place after an event that came at `place`."""
    return place if isinstance(event, CollectorAway | CollectorBack) else event.place
