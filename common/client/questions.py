"""Questions: what the services answered last. A service that is silent delays nobody."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.wire.requests import Client, RemoteEngine, Service, Unreachable
from tickflag.common.wire.sockets import Socket

ANSWER_S = 2.0  # for an answer to a question of ours
COMMAND_S = 5.0  # for an answer to a command of an operator
LATE_S = 0.5
"""So much older than wanted an answer may be while the next is on its way."""
OVER = "nothing is asked any more"
FORGET_S = 60.0  # an answer that nobody looks at is dropped

Key = tuple[Service, str, str]


@dataclass(slots=True)
class Known:
    """The last answer to a question. Neither `value` nor `error` before the first one came."""

    value: Any = None
    error: Unreachable | TickflagError | None = None
    answered: bool = False
    asked_s: float = -1e9
    answered_s: float = -1e9
    used_s: float = 0.0
    waiting: bool = False
    """A request is on its way."""

    def is_late(self, now_s: float, every_s: float) -> bool:
        """Whether there is no answer yet, or one that is too old to be shown while the next is on its way."""
        return not self.answered or (self.waiting and now_s - self.answered_s > every_s + LATE_S)


class Questions:
    """Asks all services, one question a service at a time. One thread; no method waits."""

    def __init__(
        self, runtime: Runtime, clock: Callable[[], float] = time.monotonic, remote: RemoteEngine | None = None
    ) -> None:
        """`remote` is the collector of another machine, which is asked in place of this one's."""
        self._runtime, self._clock, self._remote = runtime, clock, remote
        self._known: dict[Key, Known] = {}
        self._lines: dict[tuple[Service, bool], _Line] = {}

    def latest(self, service: Service, what: str, every_s: float = 1.0, **arguments: Any) -> Known:
        """What is known of the answer; asks again where that is older than `every_s`."""
        now = self._clock()
        key = (service, what, repr(sorted(arguments.items())))
        known = self._known.setdefault(key, Known())
        known.used_s = now
        if not known.waiting and now - known.asked_s >= every_s:
            known.asked_s, known.waiting = now, True

            def take(value: Any, error: TickflagError | None) -> None:
                known.value, known.error = value, error
                known.answered, known.waiting = True, False
                known.answered_s = self._clock()

            self._line(service, False).add(what, arguments, take)
        return known

    def ask(self, service: Service, what: str, arguments: dict[str, Any], take: "Take") -> None:
        """Ask once; `take` gets the answer, or why there is none."""
        self._line(service, False).add(what, arguments, take)

    def command(self, service: Service, what: str, arguments: dict[str, Any], future: Future[Any]) -> None:
        """Send a command, and give the future its result or the words of the refusal."""

        def take(value: Any, error: TickflagError | None) -> None:
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        self._line(service, True).add(what, arguments, take)

    @property
    def sockets(self) -> list[Socket]:
        """Those to wait on now: of the services that owe an answer."""
        return [line.socket for line in self._lines.values() if line.busy]

    def step(self) -> bool:
        """Send what waits and take what came; gives whether any answer came."""
        came = False
        for line in self._lines.values():
            came = line.step() or came
        return came

    @property
    def waiting(self) -> bool:
        """Whether an answer is on its way."""
        return any(line.busy for line in self._lines.values())

    def renew(self) -> None:
        """Ask everything anew at the next look: a command may have changed it."""
        for known in self._known.values():
            known.asked_s = -1e9

    def forget_unused(self) -> None:
        """Drop the answers that nobody looked at for a while."""
        now = self._clock()
        self._known = {
            key: known for key, known in self._known.items() if known.waiting or now - known.used_s < FORGET_S
        }

    def close(self) -> None:
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def _line(self, service: Service, commands: bool) -> "_Line":
        line = self._lines.get((service, commands))
        if line is None:
            remote = self._remote if service == "collector" else None
            client = Client(self._runtime, service, COMMAND_S if commands else ANSWER_S, remote)
            line = self._lines[service, commands] = _Line(client)
        return line


Take = Callable[[Any, TickflagError | None], None]


class _Line:
    """The questions to one service, of which one is on its way."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._queue: deque[tuple[str, dict[str, Any], Take]] = deque()
        self._open: Take | None = None

    @property
    def socket(self) -> Socket:
        return self._client.socket

    @property
    def busy(self) -> bool:
        return self._open is not None or bool(self._queue)

    def add(self, what: str, arguments: dict[str, Any], take: Take) -> None:
        self._queue.append((what, arguments, take))

    def step(self) -> bool:
        came = self._receive()
        while self._open is None and self._queue:
            what, arguments, take = self._queue.popleft()
            try:
                self._client.send(what, **arguments)
                self._open = take
            except Unreachable as error:
                self._fail(take, error)
                came = True
            except TickflagError as error:
                take(None, error)
                came = True
        return came

    def _receive(self) -> bool:
        if self._open is None:
            return False
        try:
            reply = self._client.try_answer()
        except Unreachable as error:
            self._fail(self._open, error)
        except TickflagError as error:  # an answer that is none
            self._open(None, error)
        else:
            if reply is None:
                return False
            self._open(reply.result, TickflagError(reply.error) if reply.error else None)
        self._open = None
        return True

    def _fail(self, take: Take, error: Unreachable) -> None:
        """The service is silent: whatever waits for it would wait in vain as well."""
        take(None, error)
        while self._queue:
            self._queue.popleft()[2](None, error)

    def close(self) -> None:
        if self._open is not None:
            self._open(None, Unreachable(OVER))
            self._open = None
        self._fail(lambda _value, _error: None, Unreachable(OVER))
        self._client.close()
