"""A real collector process, and a fake worker that talks to its sockets."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import zmq

from tests.support.documents.pages import ROOT
from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.processes.commands import PYTHON
from tests.support.processes.waiting import WITHIN_S, Deadline, allowed_s
from tickflag.common.errors import MessageError
from tickflag.common.runtime import Runtime
from tickflag.common.wire import sockets
from tickflag.common.wire.codec import decode, decode_as, encode
from tickflag.common.wire.messages import Control, Delta, Heartbeat, Reply, Request, Roster, Signal, Signals, Snapshot
from tickflag.common.wire.sockets import Socket, open_socket, receive, try_send


class CollectorProcess:
    """A runtime folder with a collector process, and sockets to talk to it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.context: sockets.Context = zmq.Context()
        self.environment = os.environ | {
            "TICKFLAG_RUNTIME__ROOT": str(runtime.folder.parent),
            "TICKFLAG_INSTANCE": runtime.folder.name,
            "TICKFLAG_COLLECTOR__HEARTBEAT_MS": "50",
            "TICKFLAG_COLLECTOR__METRICS_PORT": "0",
            "PYTHONUNBUFFERED": "1",
        }
        self.results = open_socket(self.context, runtime, sockets.RESULTS_OUT)
        self.controls = open_socket(self.context, runtime, sockets.CONTROL_IN)
        self.signals = open_socket(self.context, runtime, sockets.SIGNALS_IN)
        self.requests = open_socket(self.context, runtime, sockets.COMMANDS_CLIENT)
        self.published: list[Signal] = []
        self._asked = 0
        self.process = self.start()

    def start(self, **settings: str) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [*PYTHON, "-m", "tickflag.services.collector"],
            cwd=ROOT,
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.process

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of the process, once it has ended."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=allowed_s(WITHIN_S))
        return self.process.returncode, out, err

    def ask(self, what: str, **arguments: Any) -> Any:
        """Ask until a collector answers. A collector that is just starting, or that is killed with the request, gives
        no answer."""
        for _ in _until():
            self._asked += 1
            if not try_send(self.requests, encode(Request(id=self._asked, what=what, arguments=arguments))):
                continue
            while self.requests.poll(1_000):
                reply = decode_as(Reply, self.requests.recv())
                if reply.id == self._asked:  # other replies answer requests that were given up
                    assert reply.error == ""
                    return reply.result
        return None

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Follow the signals until the condition holds."""
        for _ in _until():
            self.follow(wait_ms=10)
            if condition():
                return

    def follow(self, wait_ms: int = 0) -> None:
        """Receive what was published."""
        self.signals.poll(wait_ms)
        while (frame := receive(self.signals)) is not None:
            message = decode(frame)
            if isinstance(message, Signals):
                self.published += message.signals

    def journalled(self) -> list[Signal]:
        """Every signal, page by page, as a consumer fetches them that was away."""
        signals: list[Signal] = []
        while True:
            page = self.ask("signals", since=len(signals), limit=500)
            signals += [Signal(**row) for row in page["signals"]]
            if len(signals) == page["last_seq"]:
                return signals

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        for socket in (self.results, self.controls, self.signals, self.requests):
            socket.close(linger=0)
        self.context.destroy(linger=0)


class FakeWorker:
    """Sends a fake trader's results as a worker does: never waits, sends a snapshot after a refusal, answers tokens."""

    def __init__(self, trader: FakeTrader, results: Socket, controls: Socket) -> None:
        self.trader = trader
        self.refused = 0
        self._results, self._controls = results, controls
        self._owes_snapshot = True
        self._token = 0

    def send(self, message: Snapshot | Delta | Heartbeat | Roster) -> None:
        if not try_send(self._results, encode(message)):
            self.refused += 1
            self._owes_snapshot = True

    def change(self, matches: dict[str, float]) -> None:
        """Send the result of one cycle."""
        self.listen()
        if self._owes_snapshot:
            self.trader.matches = matches
            self._owes_snapshot = False
            self.send(self.trader.snapshot(self._token))
        else:
            self.send(self.trader.change_to(matches))

    def listen(self) -> None:
        frame = receive(self._controls)
        if frame is not None:
            with contextlib.suppress(MessageError):
                token = decode_as(Control, frame).resync.get(self.trader.name, 0)
                self._owes_snapshot |= token > self._token
                self._token = max(self._token, token)

    def beat(self) -> None:
        """Send a heartbeat, and answer the requests of the control state."""
        self.listen()
        if self._owes_snapshot:
            self.change(self.trader.matches)
        self.send(self.trader.heartbeat())


def _until() -> Iterator[None]:
    """Yield until the deadline, which fails the test."""
    deadline = Deadline(WITHIN_S)
    while not deadline.over():
        yield
    raise AssertionError(f"not within {WITHIN_S} s")
