"""The follower's two shells behind one face, so that both are driven through the same scenarios."""

import asyncio
from collections.abc import Callable

from tests.support.oracles.followed_events import FollowedEvents
from tests.support.processes.waiting import WITHIN_S, Deadline
from tickflag.common.client.follower.async_follower import AsyncFollower
from tickflag.common.client.follower.events import Event, Place
from tickflag.common.client.follower.follower import Follower
from tickflag.common.runtime import Runtime
from tickflag.common.wire.requests import RemoteEngine


class BlockingShell:
    """A `Follower`."""

    def __init__(self, runtime: Runtime, remote: RemoteEngine | None = None, place: Place | None = None) -> None:
        self.follower = Follower(runtime, remote, place)

    def wait_event(self, timeout_s: float) -> Event | None:
        return self.follower.wait_event(timeout_s)

    def close(self) -> None:
        self.follower.close()


class AsyncShell:
    """An `AsyncFollower` with a loop of its own, which runs while an event is waited for."""

    def __init__(self, runtime: Runtime, remote: RemoteEngine | None = None, place: Place | None = None) -> None:
        self._runner = asyncio.Runner()
        self.follower = AsyncFollower(runtime, remote, place)

    def wait_event(self, timeout_s: float) -> Event | None:
        return self._runner.run(self.follower.wait_event(timeout_s))

    def close(self) -> None:
        self.follower.close()
        self._runner.close()


Shell = BlockingShell | AsyncShell
SHELLS: tuple[Callable[..., Shell], ...] = (BlockingShell, AsyncShell)


class FollowingProgram:
    """A program that lives off a follower, keeps what it adds up to, and may be stopped and started again."""

    def __init__(self, make_shell: Callable[..., Shell], runtime: Runtime, remote: RemoteEngine | None = None) -> None:
        self._make_shell, self._runtime, self._remote = make_shell, runtime, remote
        self.followed = FollowedEvents()
        self.shell: Shell | None = None
        self.start()

    def start(self) -> None:
        """Go on where the program stopped."""
        self.shell = self._make_shell(self._runtime, self._remote, self.followed.place)

    def stop(self) -> None:
        if self.shell is not None:
            self.shell.close()
            self.shell = None

    def follow_until(self, condition: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
        """Take events until the condition holds; `meanwhile` is called between two of them."""
        assert self.shell is not None
        deadline = Deadline(WITHIN_S)
        while not condition():
            assert not deadline.over(), (self.followed.place, self.followed.told)
            meanwhile()
            event = self.shell.wait_event(0.05)
            if event is not None:
                self.followed.apply(event)
            assert self.shell.follower.place == self.followed.place
