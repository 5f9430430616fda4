"""SignalFeed: the live messages of the collector, of this machine or of another one."""

from typing import Any

from tickflag.common.errors import MessageError, TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.wire.codec import decode
from tickflag.common.wire.messages import Notices, Signals
from tickflag.common.wire.requests import Connection, RemoteEngine
from tickflag.common.wire.sockets import REMOTE_SIGNALS_IN, SIGNALS_IN, Context, Socket, open_socket, receive


class SignalFeed:
    """Borrows the context, owns its socket. One thread. Never waits.

    The feed of another machine has an address that its collector tells: without it, there is no socket yet.
    """

    def __init__(self, context: Context, runtime: Runtime, remote: RemoteEngine | None) -> None:
        self._context, self._remote = context, remote
        self._connection: Connection | None = None
        self._endpoint = ""
        self._socket: Socket | None = open_socket(context, runtime, SIGNALS_IN) if remote is None else None
        self.wants_address = remote is not None
        """Whether `connect` should be called, with the collector's present answer to `status`."""

    @property
    def sockets(self) -> list[Socket]:
        """To be polled."""
        if self._connection is not None:
            return [self._connection.socket, self._connection.events]
        return [] if self._socket is None else [self._socket]

    def connect(self, status: dict[str, Any]) -> None:
        """Connect to where the collector of the other machine publishes; nothing happens where that did not change.

        Raises TickflagError where it never published anything.
        """
        assert self._remote is not None
        self.wants_address = False
        if self._connection is not None and not status.get("remote_signals"):
            return  # its port is taken for the moment
        there = signals_endpoint(self._remote, status)
        if there.endpoint == self._endpoint:
            return
        self.close()
        self._connection = Connection(self._context, REMOTE_SIGNALS_IN, there)
        self._socket, self._endpoint = self._connection.socket, there.endpoint

    def collector_away(self) -> None:
        """The collector that comes back may publish elsewhere."""
        self.wants_address = self._remote is not None

    def check(self) -> None:
        """Raises KeyRefused where the other machine does not allow our key."""
        if self._connection is not None:
            self._connection.check()

    def receive(self) -> Signals | Notices | bool:
        """The next message; False where there is none, and True for a frame that is none of ours."""
        if self._socket is None or (frame := receive(self._socket)) is None:
            return False
        try:
            message = decode(frame)
        except MessageError:
            return True  # what it may have held is missing now, and is asked for
        return message if isinstance(message, Signals | Notices) else True

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        elif self._socket is not None:
            self._socket.close(0)


def signals_endpoint(remote: RemoteEngine, status: dict[str, Any]) -> RemoteEngine:
    """Where the engine publishes its signals, by its collector's answer to `status`. Raises TickflagError where it does
    not."""
    address = status.get("remote_signals", "")
    if not address:
        raise TickflagError(
            f"the engine at {remote.endpoint} publishes no signals to other machines: set `remote.signals` there"
        )
    return remote._replace(endpoint=f"{remote.endpoint.rpartition(':')[0]}:{address.rpartition(':')[2]}")
