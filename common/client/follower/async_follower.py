"""AsyncFollower: the events of the collector, for programs on an asyncio event loop."""

import asyncio
import math
import os
from collections.abc import Sequence
from typing import Any, Self

import zmq

from tickflag.common.client.engine_address import remote_engine
from tickflag.common.client.follower.events import Event, Place
from tickflag.common.client.follower.follower import followed_settings, place_after
from tickflag.common.client.follower.link import CollectorLink
from tickflag.common.runtime import Runtime
from tickflag.common.wire.requests import RemoteEngine
from tickflag.common.wire.sockets import Socket


def follow_async(
    place: Place | None = None, *, instance: str | None = None, root: str | os.PathLike[str] | None = None
) -> "AsyncFollower":
    """As `follow`, for asyncio.

    async with follow_async() as follower:
        async for event in follower:
            ...
    """
    settings = followed_settings(instance, root)
    return AsyncFollower(settings.runtime_folder(), remote_engine(settings), place)


class AsyncFollower:
    """Made by `follow_async`. Gives what a `Follower` gives. One task at a time; its loop never waits for the
    collector.

    A wait may be cancelled: the event comes with the next one.
    """

    def __init__(self, runtime: Runtime, remote: RemoteEngine | None = None, place: Place | None = None) -> None:
        self._link = CollectorLink(runtime, remote, place)
        self.place = place
        """After the last event given. Keep it together with what the events led to."""

    async def wait_event(self, timeout_s: float = math.inf) -> Event | None:
        """The next event; None where none comes in time. Raises TickflagError as `Follower.wait_event`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while (event := self._link.take_event()) is None:
            await asyncio.sleep(0)  # other tasks get their turn, however much there is to read
            self._link.step()
            left_s = min(self._link.idle_s(), deadline - loop.time())
            if (event := self._link.take_event()) is not None:
                break
            if deadline <= loop.time():
                return None
            await _readable(self._link.sockets, left_s)
        self.place = place_after(event, self.place)
        return event

    def seek(self, place: Place | None) -> None:
        """Go on from another place; None: from a snapshot."""
        self._link.seek(place)
        self.place = place

    def close(self) -> None:
        self._link.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self.wait_event()
        assert event is not None
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.close()


async def _readable(sockets: Sequence[Socket], timeout_s: float) -> None:
    """Wait until one of the sockets is readable, at most `timeout_s`.

    The sockets are plain ones, as the link reads them without waiting. zmq.asyncio would wrap each anew for every wait,
    and a wait that is cancelled takes the loop's reader away from the next one.
    """
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    descriptors = [socket.fileno() for socket in sockets]
    for descriptor in descriptors:
        loop.add_reader(descriptor, woken.set)
    try:
        async with asyncio.timeout(timeout_s):
            # The descriptor tells that the socket's state changed; reading the state makes the descriptor silent.
            while not any(_state(socket) & zmq.POLLIN for socket in sockets):
                await woken.wait()
                woken.clear()
    except TimeoutError:
        pass
    finally:
        for descriptor in descriptors:
            loop.remove_reader(descriptor)


def _state(socket: Any) -> int:
    return int(socket.get(zmq.EVENTS))
