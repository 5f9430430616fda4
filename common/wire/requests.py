"""Client: asks a running service, of this machine or a collector of another, and waits for its answer."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import zmq

from common.codec import MAX_REQUEST_BYTES, decode_as, encode
from common.errors import TickflagError
from common.keys import KeyPair
from common.messages import Reply, Request
from common.monitor import Monitor
from common.runtime import Role, Runtime
from common.sockets import (
    COMMANDS_CLIENT,
    FEED_COMMANDS_CLIENT,
    REMOTE_COMMANDS_CLIENT,
    TRADER_COMMANDS_CLIENT,
    Context,
    Socket,
    TcpRole,
    open_socket,
    open_tcp,
    try_send,
)

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


class Remote(NamedTuple):
    """A collector on another machine, and who we are to it."""

    endpoint: str
    server: bytes
    """Its public key."""
    keys: KeyPair


class Connection:
    """A socket to another machine, with what became of its attempts to connect."""

    def __init__(self, context: Context, role: TcpRole, remote: Remote) -> None:
        self._endpoint = remote.endpoint
        self.socket: Socket = open_tcp(context, role, remote.endpoint, remote.keys, remote.server)
        self._monitor = Monitor(self.socket)
        self.events = self._monitor.socket
        """To poll beside the socket, and then `check`."""
        try:
            self.socket.connect(remote.endpoint)
        except zmq.ZMQError:
            self.close()
            raise Unreachable(f"setting `remote.connect`: {remote.endpoint} is no address") from None

    def check(self) -> None:
        """Raises Unreachable where the other side does not allow our key."""
        if self._monitor.state() == "refused":
            raise Unreachable(
                f"the collector at {self._endpoint} does not allow the key of `remote.client_key`: "
                "`tickflag keys allow FILE` there allows it"
            )

    def silence(self, timeout_s: float) -> str:
        """Why nothing came for so long."""
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
    """The same for a service of this machine."""

    def __init__(self, context: Context, runtime: Runtime, service: Service) -> None:
        self._runtime, self._service = runtime, service
        self.socket = open_socket(context, runtime, _SOCKETS[service])

    def check(self) -> None:
        """Raises Unreachable where it does not run."""
        if Role.holder(self._runtime, self._service) is None:
            raise not_running(self._runtime, self._service)

    def silence(self, timeout_s: float) -> str:
        """Why nothing came for so long."""
        return (
            f"the {self._service} (pid {Role.holder(self._runtime, self._service)}) did not answer within "
            f"{timeout_s:g} s: it is still starting, or busy"
        )

    def close(self) -> None:
        self.socket.close(0)


class Client:
    """A connection to one service: of this machine, or with `remote` a collector of another. One thread; use it in a
    `with` block."""

    def __init__(
        self, runtime: Runtime, service: Service, timeout_s: float = TIMEOUT_S, remote: Remote | None = None
    ) -> None:
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
        self._socket = self._peer.socket
        self._id = 0

    def ask(self, what: str, **arguments: Any) -> Any:
        """The answer's result.

        Raises Unreachable where no service runs or none answers in time, TickflagError with the service's own words
        where it refuses.
        """
        self._id += 1
        deadline = time.monotonic() + self._timeout_s
        self._peer.check()
        frame = encode(Request(id=self._id, what=what, arguments=arguments))
        if len(frame) > MAX_REQUEST_BYTES:
            raise TickflagError(f"a request of {len(frame):,} bytes is larger than {MAX_REQUEST_BYTES:,}")
        if not try_send(self._socket, frame):
            raise Unreachable(f"the {self._service} takes no requests")
        while (left_s := deadline - time.monotonic()) > 0:
            if not self._socket.poll(int(min(left_s, _LOOK_S) * 1000) + 1):
                self._peer.check()
                continue
            reply = decode_as(Reply, self._socket.recv())
            if reply.id != self._id:
                continue  # the late answer to a request that was given up
            if reply.error:
                raise TickflagError(reply.error)
            return reply.result
        raise Unreachable(self._peer.silence(self._timeout_s))

    def close(self) -> None:
        self._peer.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
