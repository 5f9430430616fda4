"""FakeForkServer: takes the fork server's place. Its processes are objects of the test, which plays the workers."""

import contextlib
import itertools
import os
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import msgpack

from tickflag.services.trader.worker.activity_word import ActivityWord

FIRST_PID = 1 << 30
"""Larger than any real process id, so a signal to it reaches nobody."""


class FakeProcess:
    """A worker process: what the supervisor sent to it, and what it answers. It ends when the test or `kill` ends
    it."""

    def __init__(self, server: "FakeForkServer", args: tuple[Any, Any, Any, Any], name: str) -> None:
        self._server, self._args, self.name = server, args, name
        self.pid = FIRST_PID + next(server.numbers)
        self.exitcode: int | None = None
        self.received: list[dict[str, Any]] = []
        self._told = 0

    def start(self) -> None:
        if self._server.fault is not None:
            raise self._server.fault
        self.sentinel, self._alive = os.pipe()
        _, output, pipe, words = self._args
        self._output, self.activity = os.dup(output.fileno()), ActivityWord(words)
        self._pipe = Connection(os.dup(pipe.fileno()))
        self._server.processes.append(self)

    # What the test has the worker do.

    def words(self) -> list[str]:
        """The messages since the last call, each by its word. Whole messages are in `received`."""
        self._receive()
        count, self._told = self._told, len(self.received)
        return [message["word"] for message in self.received[count:]]

    def all_words(self) -> list[str]:
        """All messages since the start, each by its word."""
        self._receive()
        return [message["word"] for message in self.received]

    def say(self, state: str, member: int = 1, **words: Any) -> None:
        """Send a message about a member."""
        self._pipe.send_bytes(msgpack.packb({"member": member, "state": state, **words}))

    def load(self, name: str, member: int = 1, version: str = "1", helpers: tuple[str, ...] = ()) -> None:
        """Tell that the member's trader is loaded."""
        self.say("ready", member, name=name, version=version, helpers=list(helpers))

    def write(self, text: str) -> None:
        os.write(self._output, text.encode())

    def hang_up(self) -> None:
        """Close the worker's end of the pipe."""
        self._pipe.close()

    def end(self, status: int = 0) -> None:
        """End as a process that nobody stopped."""
        self.exitcode = status
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1

    # What the supervisor asks of a process.

    def kill(self) -> None:
        self.end(-9)

    def join(self) -> None:
        assert self.exitcode is not None, "joined without an end: that would wait for ever"

    def close(self) -> None:
        os.close(self.sentinel)
        os.close(self._output)
        self._receive()
        self._pipe.close()

    def _receive(self) -> None:
        with contextlib.suppress(EOFError):
            while not self._pipe.closed and self._pipe.poll():
                self.received.append(msgpack.unpackb(self._pipe.recv_bytes()))


class FakeForkServer:
    """Stands in for a ForkServerContext. Where `fault` is set, no process can be started."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        """All processes that were started, in order."""
        self.fault: Exception | None = None
        self.numbers = itertools.count()

    @property
    def newest(self) -> FakeProcess:
        return self.processes[-1]

    def Pipe(self, duplex: bool = True) -> Any:  # noqa: N802 - the context's name
        return Pipe(duplex)

    def RawArray(self, _kind: str, size: int) -> list[int]:  # noqa: N802 - as above
        return [0] * size

    def Process(self, target: Any, args: Any, name: str, daemon: bool) -> FakeProcess:  # noqa: N802 - as above
        return FakeProcess(self, args, name)

    def set_forkserver_preload(self, _modules: list[str]) -> None:
        """Nothing is loaded."""
