"""Spawn: single workers from a fork server, made as the supervisor makes them; nobody else reads their results."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import zmq

from tests.bench.rigs.processes import RunFailed, cpu_of_ns
from tickflag.common.errors import MessageError
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.codec import decode
from tickflag.common.wire.messages import AnyMessage, Heartbeat
from tickflag.common.wire.sockets import CONTROL_OUT, RESULTS_IN, Context, open_socket, receive
from tickflag.services.trader.worker.activity_word import ActivityWord
from tickflag.services.trader.worker.launch_spec import LaunchSpec
from tickflag.services.trader.worker.worker import run_worker, send_word


class SpawnedWorker:
    """One worker process with `members` traders of one file. `incarnation` tells its messages from those of other
    workers."""

    def __init__(self, path: Path, settings: Settings, log_path: Path, incarnation: int, members: int = 1) -> None:
        self._spawner = multiprocessing.get_context("forkserver")
        self._spawner.set_forkserver_preload(["tickflag.services.trader.supervisor.forkserver"])
        self.incarnation = incarnation
        words = ActivityWord.words(self._spawner)
        self._pipe: Connection
        self._pipe, theirs = self._spawner.Pipe()
        output = Connection(os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), readable=False)
        arguments = (settings, output, theirs, words)
        self._process = self._spawner.Process(target=run_worker, args=arguments, daemon=True)
        self.started_ns = time.monotonic_ns()
        self._process.start()
        theirs.close()
        output.close()
        self._members = range(1, members + 1)
        for member in self._members:
            name = f"member-{member}" if members > 1 else ""
            spec = LaunchSpec(path.resolve(), name, {}, log_path.with_suffix(f".{member}"))
            send_word(self._pipe, member=member, word="load", spec=spec.to_words())

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def wait_ready(self, limit_s: float = 60.0) -> None:
        """Wait until the worker says that its traders are loaded, then let them run."""
        for member in self._members:
            if not self._pipe.poll(limit_s):
                raise RunFailed("a worker did not get ready")
            self._pipe.recv_bytes()
            send_word(self._pipe, member=member, word="go", incarnation=self.incarnation, inherits=False)

    def cpu_ns(self) -> int:
        return cpu_of_ns(self.pid)

    def stop(self) -> None:
        for member in self._members:
            send_word(self._pipe, member=member, word="stop")
        self._process.join(5)
        self._process.kill()
        self._process.join()
        self._pipe.close()


class Sink:
    """Stands in for the collector: receives results and heartbeats, and answers nothing."""

    def __init__(self, runtime: Runtime) -> None:
        self._context: Context = zmq.Context()
        self._results = open_socket(self._context, runtime, RESULTS_IN)
        self._control = open_socket(self._context, runtime, CONTROL_OUT)

    def take(self) -> list[AnyMessage]:
        """The messages since the last call."""
        messages = []
        while (frame := receive(self._results)) is not None:
            try:
                messages.append(decode(frame))
            except MessageError as error:
                raise RunFailed(str(error)) from None
        return messages

    def wait_heartbeat(self, incarnation: int, limit_s: float = 10.0, since: int = 0) -> Heartbeat:
        """Wait for the next heartbeat of a running worker. Raises RunFailed where none comes."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if not self._results.poll(100):
                continue
            message = decode(self._results.recv())
            if isinstance(message, Heartbeat) and message.incarnation == incarnation and message.cycle >= since:
                return message
        raise RunFailed(f"no heartbeat of worker {incarnation} in {limit_s:g} s")

    def close(self) -> None:
        self._results.close()
        self._control.close()
        self._context.term()


@contextmanager
def sink(runtime: Runtime) -> Iterator[Sink]:
    taken = Sink(runtime)
    try:
        yield taken
    finally:
        taken.close()
