"""Client: asks a service of this machine, or a collector on another machine, and waits for the answer."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import zmq

from tickflag.common.errors import TickflagError
from tickflag.common.limits import descriptor_shortage
from tickflag.common.runtime import Role, Runtime
from tickflag.common.units import MS_PER_S
from tickflag.common.wire.codec import MAX_REQUEST_BYTES, decode_as, encode
from tickflag.common.wire.keys import KeyPair
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.monitor import Monitor
from tickflag.common.wire.socket_owner import impostor
from tickflag.common.wire.sockets import (
    COMMANDS_CLIENT,
    FEED_COMMANDS_CLIENT,
    REMOTE_COMMANDS_CLIENT,
    TRADER_COMMANDS_CLIENT,
    Context,
    Socket,
    TcpRole,
    open_socket,
    open_tcp,
    receive,
    try_send,
)

Service = Literal["feed", "collector", "trader"]
Ask = Callable[..., Any]
"""`ask(what, **arguments)` gives the result, as `Client.ask` does."""

TIMEOUT_S = 5.0
_DESCRIPTORS = 12  # of a context with its threads, and a socket
_CHECK_S = 0.25  # between checks that the service still runs
_SOCKETS = {"feed": FEED_COMMANDS_CLIENT, "collector": COMMANDS_CLIENT, "trader": TRADER_COMMANDS_CLIENT}


class Unreachable(TickflagError):  # noqa: N818 - reads as the state it reports
    """The service does not run, or does not answer."""


class KeyRefused(Unreachable):
    """The collector on another machine does not allow our key, and ZeroMQ does not try again."""


def not_running(runtime: Runtime, service: Service) -> Unreachable:
    """The error that says that a service does not run, and what to do."""
    others = {"starter", *_SOCKETS} - {service}
    alone = all(Role.holder(runtime, other) is None for other in others)
    start = "tickflag start" if alone else f"python -P -m tickflag.services.{service}"  # the former would be refused
    return Unreachable(f"no {service} is running for instance {runtime.folder.name!r} (start it with `{start}`)")


class RemoteEngine(NamedTuple):
    """A collector on another machine, and the keys by which it knows us."""

    endpoint: str
    server: bytes
    """The collector's public key."""
    keys: KeyPair


class Connection:
    """A socket to another machine, with the state of its attempts to connect."""

    def __init__(self, context: Context, role: TcpRole, remote: RemoteEngine) -> None:
        self._endpoint = remote.endpoint
        self.socket: Socket = open_tcp(context, role, remote.endpoint, remote.keys, remote.server)
        self._monitor = Monitor(self.socket)
        self.events = self._monitor.socket
        """To be polled beside the socket; call `check` when it is readable."""
        try:
            self.socket.connect(remote.endpoint)
        except zmq.ZMQError:
            self.close()
            raise Unreachable(f"setting `remote.connect`: {remote.endpoint} is no address") from None

    def check(self) -> None:
        """Raises KeyRefused where the other side does not allow our key."""
        if self._monitor.state() == "refused":
            raise KeyRefused(
                f"the collector at {self._endpoint} does not allow the key of `remote.client_key`: "
                "`tickflag keys allow FILE` there allows it"
            )

    def silence(self, timeout_s: float) -> str:
        """The words for an answer that did not come in time."""
        match self._monitor.state():
            case "nobody":
                return (
                    f"nobody answers at {self._endpoint}: no collector is running there, its `remote.commands` is "
                    "another address, or a firewall is between"
                )
            case "stranger":
                return (
                    f"who answers at {self._endpoint} has another key than the file of `remote.connect_key`, or is no "
                    "collector: copy the file `server.key` from there"
                )
        return f"the collector at {self._endpoint} did not answer within {timeout_s:g} s: it is busy"

    def close(self) -> None:
        self._monitor.close()
        self.socket.close(0)


class _Neighbour:
    """Like `Connection`, for a service of this machine."""

    def __init__(self, context: Context, runtime: Runtime, service: Service) -> None:
        self._runtime, self._service = runtime, service
        self.socket = open_socket(context, runtime, _SOCKETS[service])
        self._looked = False

    def check(self) -> None:
        """Raises Unreachable where the service does not run, or another process has replaced the file of its socket."""
        if Role.holder(self._runtime, self._service) is None:
            raise not_running(self._runtime, self._service)
        endpoint = _SOCKETS[self._service].endpoint
        other = 0 if self._looked else impostor(self._runtime, self._service, endpoint)
        self._looked = True
        if other:
            raise Unreachable(
                f"the process {other} listens at {self._runtime.folder / endpoint} in place of the {self._service}: "
                f"end it, and restart the {self._service}"
            )

    def silence(self, timeout_s: float) -> str:
        """The words for an answer that did not come in time."""
        return (
            f"the {self._service} (pid {Role.holder(self._runtime, self._service)}) did not answer within "
            f"{timeout_s:g} s: it is still starting, or busy"
        )

    def close(self) -> None:
        self.socket.close(0)


class Client:
    """A connection to one service of this machine, or to the collector `remote` of another. One thread; use it in a
    `with` block."""

    def __init__(
        self, runtime: Runtime, service: Service, timeout_s: float = TIMEOUT_S, remote: RemoteEngine | None = None
    ) -> None:
        shortage = descriptor_shortage("a client", _DESCRIPTORS)
        if shortage:  # ZeroMQ would end the process
            raise TickflagError(shortage)
        self._service, self._timeout_s = service, timeout_s
        self._context: Context = zmq.Context()
        self._peer: Connection | _Neighbour
        if remote is None:
            self._peer = _Neighbour(self._context, runtime, service)
        else:
            try:
                self._peer = Connection(self._context, REMOTE_COMMANDS_CLIENT, remote)
            except Unreachable:
                self._context.term()
                raise
        self.socket = self._peer.socket
        """To be polled while an answer is owed."""
        self._id = 0
        self._deadline = 0.0

    def ask(self, what: str, **arguments: Any) -> Any:
        """The result of the answer.

        Raises Unreachable where no service runs or none answers in time. Raises TickflagError with the service's own
        words where it refuses the request.
        """
        self.send(what, **arguments)
        while (reply := self.try_answer()) is None:
            left_s = max(0.0, self._deadline - time.monotonic())
            self.socket.poll(int(min(left_s, _CHECK_S) * MS_PER_S) + 1)
        if reply.error:
            raise TickflagError(reply.error)
        return reply.result

    def send(self, what: str, **arguments: Any) -> None:
        """Send a request without waiting; `try_answer` gives the answer. One to an earlier request is dropped.

        Raises Unreachable where no service runs, TickflagError for a request that is too large.
        """
        self._id += 1
        self._deadline = time.monotonic() + self._timeout_s
        self._peer.check()
        frame = encode(Request(id=self._id, what=what, arguments=arguments))
        if len(frame) > MAX_REQUEST_BYTES:
            raise TickflagError(f"a request of {len(frame):,} bytes is larger than {MAX_REQUEST_BYTES:,}")
        if not try_send(self.socket, frame):
            raise Unreachable(f"the {self._service} takes no requests")

    def try_answer(self) -> Reply | None:
        """The answer to the last request; None while it may still come. Raises Unreachable where it does not."""
        while (frame := receive(self.socket)) is not None:
            reply = decode_as(Reply, frame)
            if reply.id == self._id:  # else a late answer to an earlier request
                return reply
        self._peer.check()
        if time.monotonic() >= self._deadline:
            raise Unreachable(self._peer.silence(self._timeout_s))
        return None

    def close(self) -> None:
        self._peer.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
