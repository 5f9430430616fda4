"""Site and Worker: a real collector process, and a trader that speaks its sockets."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zmq

from common import sockets
from common.codec import decode, decode_as, encode
from common.errors import MessageError
from common.messages import Control, Delta, Heartbeat, Reply, Request, Roster, Signal, Signals, Snapshot
from common.runtime import Runtime
from common.sockets import Socket, open_socket, receive, try_send
from tests.support.fake_trader import FakeTrader

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 30.0


class Site:
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
            [sys.executable, "-m", "services.collector"],
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
        out, err = self.process.communicate(timeout=WITHIN_S)
        return self.process.returncode, out, err

    def ask(self, what: str, **arguments: Any) -> Any:
        """Ask until a collector answers: it may just be starting, or take a request to its grave."""
        for _ in _until():
            self._asked += 1
            if not try_send(self.requests, encode(Request(id=self._asked, what=what, arguments=arguments))):
                continue
            while self.requests.poll(1_000):
                reply = decode_as(Reply, self.requests.recv())
                if reply.id == self._asked:  # others answer a question that was given up
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
        """Take what was published."""
        self.signals.poll(wait_ms)
        while (frame := receive(self.signals)) is not None:
            message = decode(frame)
            if isinstance(message, Signals):
                self.published += message.signals

    def journalled(self) -> list[Signal]:
        """Every signal, page by page, as a consumer that was away would."""
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


class Worker:
    """Sends a fake trader's results as a worker does: never waits, owes a snapshot after a refusal, answers tokens."""

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
        """One cycle."""
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
        """Report, and answer what was asked."""
        self.listen()
        if self._owes_snapshot:
            self.change(self.trader.matches)
        self.send(self.trader.heartbeat())


def _until() -> Iterator[None]:
    """Turns until the deadline, which is a failure."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        yield
    raise AssertionError(f"not within {WITHIN_S} s")
