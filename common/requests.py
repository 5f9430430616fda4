"""Client: asks a running service and waits for its answer."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self

import zmq

from common.codec import decode_as, encode
from common.errors import TickflagError
from common.messages import Reply, Request
from common.runtime import Role, Runtime
from common.sockets import COMMANDS_CLIENT, FEED_COMMANDS_CLIENT, TRADER_COMMANDS_CLIENT, Context, open_socket, try_send

Service = Literal["feed", "collector", "trader"]
Ask = Callable[..., Any]
"""`ask(what, **arguments)` gives the result, as `Client.ask` does."""

TIMEOUT_S = 5.0
_LOOK_S = 0.25  # between looks whether the service still lives
_SOCKETS = {"feed": FEED_COMMANDS_CLIENT, "collector": COMMANDS_CLIENT, "trader": TRADER_COMMANDS_CLIENT}


class Unreachable(TickflagError):  # noqa: N818 - reads as the state it reports
    """The service does not run, or does not answer."""


def not_running(runtime: Runtime, service: Service) -> Unreachable:
    """The error that says so, and what to do."""
    return Unreachable(f"no {service} is running for instance {runtime.folder.name!r} (start it with `tickflag start`)")


class Client:
    """A connection to one service. One thread; use it in a `with` block."""

    def __init__(self, runtime: Runtime, service: Service, timeout_s: float = TIMEOUT_S) -> None:
        self._runtime, self._service, self._timeout_s = runtime, service, timeout_s
        self._context: Context = zmq.Context()
        self._socket = open_socket(self._context, runtime, _SOCKETS[service])
        self._id = 0

    def ask(self, what: str, **arguments: Any) -> Any:
        """The answer's result.

        Raises Unreachable where no service runs or none answers in time, TickflagError with the service's own words
        where it refuses.
        """
        self._id += 1
        deadline = time.monotonic() + self._timeout_s
        self._check_running()
        if not try_send(self._socket, encode(Request(id=self._id, what=what, arguments=arguments))):
            raise Unreachable(f"the {self._service} takes no requests")
        while (left_s := deadline - time.monotonic()) > 0:
            if not self._socket.poll(int(min(left_s, _LOOK_S) * 1000) + 1):
                self._check_running()
                continue
            reply = decode_as(Reply, self._socket.recv())
            if reply.id != self._id:
                continue  # the late answer to a request that was given up
            if reply.error:
                raise TickflagError(reply.error)
            return reply.result
        raise Unreachable(
            f"the {self._service} (pid {Role.holder(self._runtime, self._service)}) did not answer within "
            f"{self._timeout_s:g} s: it is still starting, or busy"
        )

    def close(self) -> None:
        self._socket.close(0)
        self._context.term()

    def _check_running(self) -> None:
        if Role.holder(self._runtime, self._service) is None:
            raise not_running(self._runtime, self._service)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
