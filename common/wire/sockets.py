"""Every socket of the engine: its type, who binds it, high-water marks and linger in one place.

Hints may be dropped at any time and linger for nothing; results and replies get half a second at close. Sockets are
files in the runtime folder; only those of `TcpRole` reach other machines, and these have CURVE or are not opened.
"""

from dataclasses import dataclass
from typing import Any

import zmq

from common.codec import MAX_FRAME_BYTES, MAX_REQUEST_BYTES
from common.keys import KeyPair
from common.runtime import Runtime

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]

LINGER_MS = 500
HANDSHAKE_MS = 10_000
BEAT_MS = 5_000  # of tcp; a peer without a sign of life for three beats is gone
ZAP_ENDPOINT = "inproc://zeromq.zap.01"
ZAP_DOMAIN = b"tickflag"
_CURVE_BYTES = 64  # what encryption adds to a frame


@dataclass(frozen=True, slots=True)
class Role:
    """One end of a connection. `high_water` is in messages."""

    endpoint: str
    kind: int
    binds: bool
    high_water: int
    linger_ms: int
    conflate: bool = False
    immediate: bool = False  # queue only for a peer that is there


EVENTS_OUT = Role("feed-events", zmq.PUB, True, 1_000, 0)
EVENTS_IN = Role("feed-events", zmq.SUB, False, 1, 0, conflate=True)
RESULTS_OUT = Role("collector-results", zmq.PUSH, False, 1_000, LINGER_MS, immediate=True)
RESULTS_IN = Role("collector-results", zmq.PULL, True, 10_000, 0)
CONTROL_OUT = Role("collector-control", zmq.PUB, True, 10, 0)
CONTROL_IN = Role("collector-control", zmq.SUB, False, 1, 0, conflate=True)
SIGNALS_OUT = Role("collector-signals", zmq.PUB, True, 100_000, LINGER_MS)
SIGNALS_IN = Role("collector-signals", zmq.SUB, False, 100_000, 0)
FEED_COMMANDS_SERVER = Role("feed-commands", zmq.ROUTER, True, 100, 0)
FEED_COMMANDS_CLIENT = Role("feed-commands", zmq.DEALER, False, 10, 0)
TRADER_COMMANDS_SERVER = Role("trader-commands", zmq.ROUTER, True, 100, LINGER_MS)
TRADER_COMMANDS_CLIENT = Role("trader-commands", zmq.DEALER, False, 10, 0)
COMMANDS_SERVER = Role("collector-commands", zmq.ROUTER, True, 1_000, LINGER_MS)
COMMANDS_CLIENT = Role("collector-commands", zmq.DEALER, False, 10, 0)


@dataclass(frozen=True, slots=True)
class TcpRole:
    """One end of a connection to another machine. `high_water` is in messages, `frame_bytes` the longest taken."""

    setting: str
    """The one that has the address."""
    kind: int
    serves: bool
    high_water: int
    linger_ms: int
    frame_bytes: int


REMOTE_COMMANDS_SERVER = TcpRole("remote.commands", zmq.ROUTER, True, 100, LINGER_MS, MAX_REQUEST_BYTES)
REMOTE_COMMANDS_CLIENT = TcpRole("remote.commands", zmq.DEALER, False, 10, 0, MAX_FRAME_BYTES)
REMOTE_SIGNALS_OUT = TcpRole("remote.signals", zmq.PUB, True, 10_000, LINGER_MS, MAX_REQUEST_BYTES)
REMOTE_SIGNALS_IN = TcpRole("remote.signals", zmq.SUB, False, 100_000, 0, MAX_FRAME_BYTES)


def open_socket(context: Context, runtime: Runtime, role: Role, subscribe: bytes | None = b"") -> Socket:
    """A socket as `role` asks, bound or connected. `subscribe` is a SUB socket's topic; None is none so far."""
    socket: Any = context.socket(role.kind)
    socket.linger = role.linger_ms
    if role.conflate:
        socket.set(zmq.CONFLATE, 1)
    else:
        socket.set_hwm(role.high_water)
    if role.immediate:
        socket.set(zmq.IMMEDIATE, 1)
    socket.set(zmq.RECONNECT_IVL, 50)
    socket.set(zmq.RECONNECT_IVL_MAX, 1_000)
    if role.kind == zmq.SUB and subscribe is not None:
        socket.subscribe(subscribe)
    endpoint = runtime.socket(role.endpoint)
    if role.binds:
        # A crashed owner leaves its socket file; whoever binds holds the role's lock, so it is nobody's.
        (runtime.folder / role.endpoint).unlink(missing_ok=True)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError:
            socket.close()  # an open socket would keep the context from ending
            raise
    else:
        socket.connect(endpoint)
    return socket  # type: ignore[no-any-return] # Any above: zmq types options per socket kind


def open_tcp(context: Context, role: TcpRole, endpoint: str, keys: KeyPair, server: bytes | None = None) -> Socket:
    """A socket as `role` asks, encrypted; neither bound nor connected yet, and `endpoint` says to what it will be.

    A client has the public key of the `server`. The server lets in whom the context's ZAP handler allows; without a
    handler, nobody.
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
