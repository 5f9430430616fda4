from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from tickflag.common.runtime import Runtime
from tickflag.common.wire import sockets
from tickflag.common.wire.codec import MAX_FRAME_BYTES, MAX_REQUEST_BYTES
from tickflag.common.wire.keys import KeyPair
from tickflag.common.wire.sockets import (
    COMMANDS_CLIENT,
    COMMANDS_SERVER,
    CONTROL_IN,
    EVENTS_IN,
    EVENTS_OUT,
    LINGER_MS,
    RESULTS_IN,
    RESULTS_OUT,
    SIGNALS_IN,
    SIGNALS_OUT,
    ZAP_DOMAIN,
    Context,
    Socket,
    SocketRole,
    TcpRole,
    open_socket,
    open_tcp,
    receive,
    try_send,
)

WITHIN_MS = 5_000
ROLES = {name: role for name, role in vars(sockets).items() if isinstance(role, SocketRole)}


@pytest.fixture
def context() -> Iterator[Context]:
    """A context in which no socket is left open."""
    context: Context = zmq.Context()
    yield context
    leaked = [socket for socket in context._sockets if not socket.closed]
    context.destroy(linger=0)
    assert not leaked


def _arrives(socket: Socket, within_ms: int = WITHIN_MS) -> bool:
    return bool(socket.poll(within_ms))


def _subscribed(publisher: Socket, subscriber: Socket, frame: bytes) -> None:
    """Publish until the subscription works; then empty the subscriber's queue."""
    while not _arrives(subscriber, 10):
        publisher.send(frame)
    while _arrives(subscriber, 50):
        subscriber.recv()


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_a_socket_is_as_its_role_says(context: Context, runtime: Runtime, role: SocketRole) -> None:
    """Type, high-water mark, linger and endpoint are the role's, whoever opens the socket."""
    socket: Any = open_socket(context, runtime, role)
    try:
        assert socket.type == role.kind
        assert socket.linger == role.linger_ms
        assert socket.get(zmq.LAST_ENDPOINT).rstrip(b"\0").decode() == runtime.socket(role.endpoint)
        assert (runtime.folder / role.endpoint).exists() == role.binds
        assert socket.get(zmq.IMMEDIATE) == role.immediate
        if not role.conflate:
            assert (socket.get(zmq.SNDHWM), socket.get(zmq.RCVHWM)) == (role.high_water, role.high_water)
    finally:
        socket.close()


def test_each_endpoint_has_one_end_that_binds() -> None:
    """Of the two roles of an endpoint exactly one binds, and their types match."""
    pairs = {(zmq.PUB, zmq.SUB), (zmq.PULL, zmq.PUSH), (zmq.ROUTER, zmq.DEALER)}
    for endpoint in {role.endpoint for role in ROLES.values()}:
        ends = [role for role in ROLES.values() if role.endpoint == endpoint]
        assert sorted(role.binds for role in ends) == [False, True]
        server, client = sorted(ends, key=lambda role: not role.binds)
        assert (server.kind, client.kind) in pairs


def test_hints_linger_for_nothing_and_results_for_half_a_second() -> None:
    """A stopping process drops hints at once and waits a moment for results."""
    assert EVENTS_OUT.linger_ms == EVENTS_IN.linger_ms == CONTROL_IN.linger_ms == 0
    assert RESULTS_OUT.linger_ms == SIGNALS_OUT.linger_ms == COMMANDS_SERVER.linger_ms == LINGER_MS == 500


def test_nothing_received_is_none(context: Context, runtime: Runtime) -> None:
    """`receive` never waits."""
    with open_socket(context, runtime, RESULTS_IN) as pull:
        assert receive(pull) is None
        with open_socket(context, runtime, RESULTS_OUT) as push:
            assert push.poll(WITHIN_MS, zmq.POLLOUT)
            assert try_send(push, b"delta")
            assert _arrives(pull)
            assert receive(pull) == b"delta"
            assert receive(pull) is None


def test_a_result_is_not_queued_for_a_dead_collector(context: Context, runtime: Runtime) -> None:
    """Without a peer `try_send` is False at once, and succeeds when the collector has come."""
    with open_socket(context, runtime, RESULTS_OUT) as push:
        assert not try_send(push, b"lost")
        with open_socket(context, runtime, RESULTS_IN) as pull:
            assert push.poll(WITHIN_MS, zmq.POLLOUT)
            assert try_send(push, b"kept")
            assert _arrives(pull)
            assert receive(pull) == b"kept"


def test_a_full_queue_refuses(context: Context, runtime: Runtime) -> None:
    """A collector that reads nothing costs its traders a refusal, never a wait."""
    with open_socket(context, runtime, RESULTS_IN), open_socket(context, runtime, RESULTS_OUT) as push:
        assert push.poll(WITHIN_MS, zmq.POLLOUT)
        limit = RESULTS_IN.high_water + RESULTS_OUT.high_water + 10_000
        assert any(not try_send(push, bytes(1000)) for _ in range(limit))


def test_a_subscriber_gets_its_topic_only(context: Context, runtime: Runtime) -> None:
    """Frames of another channel do not arrive; without a topic everything does."""
    with (
        open_socket(context, runtime, EVENTS_OUT) as out,
        open_socket(context, runtime, EVENTS_IN, b"1m\0") as one,
        open_socket(context, runtime, EVENTS_IN) as every,
    ):
        _subscribed(out, one, b"1m\0 hello")
        _subscribed(out, every, b"1m\0 hello")
        while receive(one) is not None:
            pass
        out.send(b"15m\0 event")
        assert _arrives(every)
        assert receive(every) == b"15m\0 event"
        assert receive(one) is None


def test_of_several_hints_the_newest_is_kept(context: Context, runtime: Runtime) -> None:
    """A reader that was away finds one event, the newest."""
    with open_socket(context, runtime, EVENTS_OUT) as out, open_socket(context, runtime, EVENTS_IN, b"t\0") as sub:
        _subscribed(out, sub, b"t\0hello")
        for number in range(100):
            out.send(b"t\0%d" % number)
        newest = None
        while newest != b"t\x0099":
            assert _arrives(sub)
            newest = receive(sub)
        assert receive(sub) is None


def test_signals_are_not_conflated(context: Context, runtime: Runtime) -> None:
    """Every frame of the signal feed arrives."""
    with open_socket(context, runtime, SIGNALS_OUT) as out, open_socket(context, runtime, SIGNALS_IN) as sub:
        _subscribed(out, sub, b"hello")
        for number in range(100):
            out.send(b"%d" % number)
        got: list[bytes] = []
        while len(got) < 100 and _arrives(sub):
            got.append(sub.recv())
        assert got == [b"%d" % number for number in range(100)]


def test_a_request_finds_its_way_back(context: Context, runtime: Runtime) -> None:
    """A server answers the client that asked."""
    with (
        open_socket(context, runtime, COMMANDS_SERVER) as server,
        open_socket(context, runtime, COMMANDS_CLIENT) as client,
    ):
        client.send(b"question")
        assert _arrives(server)
        identity, question = server.recv_multipart()
        server.send_multipart([identity, question + b"?"])
        assert _arrives(client)
        assert client.recv() == b"question?"


def test_a_crashed_owners_socket_file_is_replaced(context: Context, runtime: Runtime) -> None:
    """The role that binds removes the file that a killed process left."""
    (runtime.folder / EVENTS_OUT.endpoint).write_text("left behind")
    open_socket(context, runtime, EVENTS_OUT).close()


def test_a_failed_bind_leaves_no_socket(context: Context, runtime: Runtime) -> None:
    """Where binding is impossible the socket is closed again, so the process can end."""
    missing = Runtime(runtime.folder, "none")
    with pytest.raises(zmq.ZMQError):
        open_socket(context, missing, EVENTS_OUT)


# --- to other machines

KEYS = KeyPair(*zmq.curve_keypair())
TCP_ROLES = {name: role for name, role in vars(sockets).items() if isinstance(role, TcpRole)}


@pytest.mark.parametrize("role", TCP_ROLES.values(), ids=TCP_ROLES)
@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:7711", "tcp://[::1]:7711"])
def test_a_tcp_socket_is_as_its_role_says(context: Context, role: TcpRole, endpoint: str) -> None:
    """Type, limits, encryption and heartbeats are the role's; a server's socket asks who may connect."""
    socket: Any = open_tcp(context, role, endpoint, KEYS, None if role.serves else KEYS.public)
    try:
        assert socket.type == role.kind
        assert socket.linger == role.linger_ms
        assert (socket.get(zmq.SNDHWM), socket.get(zmq.RCVHWM)) == (role.high_water, role.high_water)
        assert role.frame_bytes < socket.get(zmq.MAXMSGSIZE) < role.frame_bytes + 100
        assert socket.mechanism == zmq.CURVE
        assert socket.curve_server == role.serves
        assert socket.get(zmq.ZAP_DOMAIN) == (ZAP_DOMAIN if role.serves else b"")
        assert socket.get(zmq.ZAP_ENFORCE_DOMAIN) == role.serves
        assert socket.get(zmq.HANDSHAKE_IVL) == 10_000
        assert (socket.get(zmq.HEARTBEAT_IVL), socket.get(zmq.HEARTBEAT_TIMEOUT)) == (5_000, 15_000)
        assert socket.get(zmq.HEARTBEAT_TTL) == 15_000
        assert socket.get(zmq.IPV6) == ("[" in endpoint)
    finally:
        socket.close()


def test_requests_from_other_machines_are_short_and_answers_as_long_as_any() -> None:
    """A stranger can make the collector hold little memory."""
    assert {role.frame_bytes for role in TCP_ROLES.values() if role.serves} == {MAX_REQUEST_BYTES}
    assert {role.frame_bytes for role in TCP_ROLES.values() if not role.serves} == {MAX_FRAME_BYTES}


def test_there_is_no_tcp_socket_without_curve(context: Context) -> None:
    """A client names its server's key; a server has its own."""
    with pytest.raises(ValueError, match="public key"):
        open_tcp(context, TCP_ROLES["REMOTE_COMMANDS_CLIENT"], "tcp://127.0.0.1:7711", KEYS)
    with pytest.raises(ValueError, match="public key"):
        open_tcp(context, TCP_ROLES["REMOTE_COMMANDS_SERVER"], "tcp://127.0.0.1:7711", KEYS, KEYS.public)
