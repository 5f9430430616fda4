"""Every socket of the engine: its type, which end binds, its high-water mark and linger.

Hints may be dropped at any time and do not linger. Results, signals, and replies of collector and supervisor get half a
second at close. Sockets are files in the runtime folder. Only those of `TcpRole` reach other machines, and they are
never opened without CURVE.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from tickflag.common.runtime import Runtime
from tickflag.common.wire.codec import MAX_FRAME_BYTES, MAX_REQUEST_BYTES
from tickflag.common.wire.keys import KeyPair

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]

LINGER_MS = 500
HANDSHAKE_MS = 10_000
BEAT_MS = 5_000  # of tcp; a peer that is silent for three beats is gone
ZAP_ENDPOINT = "inproc://zeromq.zap.01"
ZAP_DOMAIN = b"tickflag"
_SUBSCRIPTION_BYTES = 4_096
_CURVE_BYTES = 64  # what encryption adds to a frame


@dataclass(frozen=True, slots=True)
class SocketRole:
    """One end of a connection. `high_water` is in messages."""

    endpoint: str
    kind: int
    binds: bool
    high_water: int
    linger_ms: int
    conflate: bool = False
    immediate: bool = False  # queue messages only while a peer is connected


EVENTS_OUT = SocketRole("feed-events", zmq.PUB, True, 1_000, 0)
EVENTS_IN = SocketRole("feed-events", zmq.SUB, False, 1, 0, conflate=True)
RESULTS_OUT = SocketRole("collector-results", zmq.PUSH, False, 1_000, LINGER_MS, immediate=True)
RESULTS_IN = SocketRole("collector-results", zmq.PULL, True, 10_000, 0)
CONTROL_OUT = SocketRole("collector-control", zmq.PUB, True, 10, 0)
CONTROL_IN = SocketRole("collector-control", zmq.SUB, False, 1, 0, conflate=True)
SIGNALS_OUT = SocketRole("collector-signals", zmq.PUB, True, 100_000, LINGER_MS)
SIGNALS_IN = SocketRole("collector-signals", zmq.SUB, False, 100_000, 0)
FEED_COMMANDS_SERVER = SocketRole("feed-commands", zmq.ROUTER, True, 100, 0)
FEED_COMMANDS_CLIENT = SocketRole("feed-commands", zmq.DEALER, False, 10, 0)
TRADER_COMMANDS_SERVER = SocketRole("trader-commands", zmq.ROUTER, True, 100, LINGER_MS)
TRADER_COMMANDS_CLIENT = SocketRole("trader-commands", zmq.DEALER, False, 10, 0)
COMMANDS_SERVER = SocketRole("collector-commands", zmq.ROUTER, True, 1_000, LINGER_MS)
COMMANDS_CLIENT = SocketRole("collector-commands", zmq.DEALER, False, 10, 0)


@dataclass(frozen=True, slots=True)
class TcpRole:
    """One end of a connection to another machine. `high_water` is in messages, `frame_bytes` the limit of a frame."""

    setting: str
    """Name of the setting that holds the address."""
    kind: int
    serves: bool
    high_water: int
    linger_ms: int
    frame_bytes: int


REMOTE_COMMANDS_SERVER = TcpRole("remote.commands", zmq.ROUTER, True, 100, LINGER_MS, MAX_REQUEST_BYTES)
REMOTE_COMMANDS_CLIENT = TcpRole("remote.commands", zmq.DEALER, False, 10, 0, MAX_FRAME_BYTES)
REMOTE_SIGNALS_OUT = TcpRole("remote.signals", zmq.PUB, True, 10_000, LINGER_MS, MAX_REQUEST_BYTES)
REMOTE_SIGNALS_IN = TcpRole("remote.signals", zmq.SUB, False, 100_000, 0, MAX_FRAME_BYTES)


def open_socket(
    context: Context, runtime: Runtime, role: SocketRole, subscribe: bytes | None = b"", hidden: bool = False
) -> Socket:
    """A socket as `role` asks, bound or connected. `subscribe` is the topic of a SUB socket; None subscribes to
    nothing. A `hidden` one is bound at a name of its own, and nobody finds it before `reveal`."""
    socket: Any = context.socket(role.kind)
    socket.linger = role.linger_ms
    if role.conflate:
        socket.set(zmq.CONFLATE, 1)
    else:
        socket.set_hwm(role.high_water)
    if role.immediate:
        socket.set(zmq.IMMEDIATE, 1)
    # A frame that is larger would be gathered whole before anybody could refuse it. To a PUB, subscriptions come.
    socket.set(zmq.MAXMSGSIZE, _SUBSCRIPTION_BYTES if role.kind == zmq.PUB else MAX_FRAME_BYTES)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.set(zmq.RECONNECT_IVL, 50)
    socket.set(zmq.RECONNECT_IVL_MAX, 1_000)
    if role.kind == zmq.SUB and subscribe is not None:
        socket.subscribe(subscribe)
    endpoint = runtime.socket(role.endpoint[:-1] + "~" if hidden else role.endpoint)  # the longest path has a limit
    if role.binds:
        # A crashed owner leaves its socket file. Whoever binds holds the role's lock, so nobody else uses the file.
        (runtime.folder / role.endpoint).unlink(missing_ok=True)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError:
            socket.close()  # an open socket would keep the context from ending
            raise
    else:
        socket.connect(endpoint)
    return socket  # type: ignore[no-any-return] # Any above: zmq types options per socket kind


def reveal(socket: Socket, name: str) -> None:
    """Give the file of a bound socket the name at which clients look for it."""
    endpoint: Any = socket.last_endpoint
    path = Path(endpoint.decode().removeprefix("ipc://"))
    path.rename(path.with_name(name))


def open_tcp(context: Context, role: TcpRole, endpoint: str, keys: KeyPair, server: bytes | None = None) -> Socket:
    """An encrypted socket as `role` asks, not yet bound or connected to `endpoint`.

    A client needs the public key of the `server`. The server lets in the clients that the context's ZAP handler allows;
    without a handler, nobody.
    """
    if role.serves == (server is not None):
        raise ValueError("a client has its server's public key, a server has none")
    socket: Any = context.socket(role.kind)
    socket.linger = role.linger_ms
    socket.set_hwm(role.high_water)
    socket.set(zmq.MAXMSGSIZE, role.frame_bytes + _CURVE_BYTES)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.set(zmq.HEARTBEAT_IVL, BEAT_MS)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 3 * BEAT_MS)
    socket.set(zmq.HEARTBEAT_TTL, 3 * BEAT_MS)
    socket.set(zmq.RECONNECT_IVL, 100)
    socket.set(zmq.RECONNECT_IVL_MAX, 5_000)
    socket.set(zmq.IPV6, int("[" in endpoint))
    socket.curve_publickey, socket.curve_secretkey = keys
    if server is None:
        socket.curve_server = True
        socket.set(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
    else:
        socket.curve_serverkey = server
    if role.kind == zmq.SUB:
        socket.subscribe(b"")
    return socket  # type: ignore[no-any-return] # as above


def receive(socket: Socket) -> bytes | None:
    """The next frame, or None where none has come."""
    try:
        return socket.recv(zmq.NOBLOCK)
    except zmq.Again:
        return None


def try_send(socket: Socket, frame: bytes) -> bool:
    """Send without waiting; False where the queue is full or nobody is there."""
    try:
        socket.send(frame, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True
