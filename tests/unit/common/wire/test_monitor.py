"""Connections to another machine, over real sockets: who is let in, and what a client learns if it is not."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from tests.support.harnesses.keyring import Keyring
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.wire.codec import MAX_REQUEST_BYTES, decode_as, encode
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.requests import Client, Connection, Unreachable
from tickflag.common.wire.sockets import (
    REMOTE_COMMANDS_CLIENT,
    REMOTE_COMMANDS_SERVER,
    ZAP_ENDPOINT,
    Context,
    open_tcp,
)

SHORT_S = 0.3
LONG_S = 20.0


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


@contextmanager
def server(keyring: Keyring, lets_in: Callable[[], bool] | None, answers: bool = True) -> Iterator[str]:
    """The address of a fake collector; without `lets_in` nobody answers ZeroMQ's question."""
    context: Context = zmq.Context()
    gate: zmq.Socket[bytes] = context.socket(zmq.REP)
    if lets_in is not None:
        gate.bind(ZAP_ENDPOINT)
    socket = open_tcp(context, REMOTE_COMMANDS_SERVER, "tcp://127.0.0.1:*", keyring.pair())
    socket.bind("tcp://127.0.0.1:*")
    address = str(socket.last_endpoint, "ascii")  # type: ignore[arg-type] # bytes, of this option
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            ready = zmq.select([gate, socket], [], [], 0.02)[0]
            if gate in ready and lets_in is not None:
                version, number, *_ = gate.recv_multipart()
                code = b"200" if lets_in() else b"400"
                gate.send_multipart([version, number, code, b"", b"somebody", b""])
            if socket in ready:
                identity, frame = socket.recv_multipart()
                if answers:
                    socket.send_multipart([identity, encode(Reply(id=decode_as(Request, frame).id, result="yes"))])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield address
    finally:
        ending.set()
        thread.join()
        context.destroy(0)


def _client(keyring: Keyring, address: str, timeout_s: float = LONG_S, server: str = "server") -> Client:
    return Client(Runtime(Path("/nowhere"), "x"), "collector", timeout_s, keyring.remote(address, "ann", server))


def test_who_is_let_in_is_answered(keyring: Keyring) -> None:
    """Requests are answered several times over one connection; no file of this machine is read."""
    with server(keyring, lambda: True) as address, _client(keyring, address) as client:
        assert [client.ask("status"), client.ask("status")] == ["yes", "yes"]


def test_who_is_refused_learns_it_at_once(keyring: Keyring) -> None:
    """The error comes long before the deadline, with what to do."""
    with server(keyring, lambda: False) as address, _client(keyring, address, 100.0) as client:
        with pytest.raises(Unreachable) as caught:
            client.ask("status")
        assert str(caught.value) == (
            f"the collector at {address} does not allow the key of `remote.client_key`: `tickflag keys allow FILE` "
            "there allows it"
        )


def test_another_key_of_the_server_is_told(keyring: Keyring) -> None:
    """Nothing is sent to a server with another key."""
    asked: list[bool] = []

    def ask() -> bool:
        asked.append(True)
        return True

    with (
        server(keyring, ask) as address,
        _client(keyring, address, 2.0, server="other") as client,
        pytest.raises(Unreachable, match=r"has another key than the file of `remote\.connect_key`"),
    ):
        client.ask("status")
    assert asked == []


def test_without_a_handler_nobody_is_let_in(keyring: Keyring) -> None:
    """Not even a client with the public key is let in: the socket waits for a decision."""
    with (
        server(keyring, None) as address,
        _client(keyring, address, 2.0) as client,
        pytest.raises(Unreachable, match="is no collector"),
    ):
        client.ask("status")


def test_nobody_there(keyring: Keyring) -> None:
    """The deadline ends the wait."""
    with server(keyring, lambda: True) as address:
        pass
    with _client(keyring, address, SHORT_S) as client, pytest.raises(Unreachable, match=f"nobody answers at {address}"):
        client.ask("status")


def test_no_answer(keyring: Keyring) -> None:
    """The server accepts the connection, and then is silent."""
    with (
        server(keyring, lambda: True, answers=False) as address,
        _client(keyring, address, 2.0) as client,
        pytest.raises(Unreachable, match=r"did not answer within 2 s: it is busy"),
    ):
        client.ask("status")


def test_no_address(keyring: Keyring) -> None:
    """ZeroMQ's refusal becomes an error of ours, and nothing stays open."""
    with pytest.raises(Unreachable, match=r"^setting `remote.connect`: tcp://-:1 is no address$"):
        _client(keyring, "tcp://-:1")


def test_a_request_that_is_too_large_is_not_sent(keyring: Keyring) -> None:
    """The collector would close the connection without a word."""
    with server(keyring, lambda: True) as address, _client(keyring, address) as client:
        with pytest.raises(TickflagError, match="larger than 262,144"):
            client.ask("status", x="y" * MAX_REQUEST_BYTES)
        assert client.ask("status") == "yes"


def test_a_frame_that_is_too_large_ends_the_connection(keyring: Keyring) -> None:
    """The largest allowed frame arrives; after a larger one the client has to connect anew."""
    heard: list[int] = []
    context: Context = zmq.Context()
    gate: zmq.Socket[bytes] = context.socket(zmq.REP)
    gate.bind(ZAP_ENDPOINT)
    router = open_tcp(context, REMOTE_COMMANDS_SERVER, "tcp://127.0.0.1:*", keyring.pair())
    router.bind("tcp://127.0.0.1:*")
    address = str(router.last_endpoint, "ascii")  # type: ignore[arg-type] # as above
    connection = Connection(context, REMOTE_COMMANDS_CLIENT, keyring.remote(address, "ann"))
    for size in (MAX_REQUEST_BYTES, MAX_REQUEST_BYTES + 100, 1):
        connection.socket.send(bytes(size))
    handshakes = 0
    while len(heard) < 2:
        ready = zmq.select([gate, router], [], [], LONG_S)[0]
        assert ready
        if gate in ready:
            version, number, *_ = gate.recv_multipart()
            gate.send_multipart([version, number, b"200", b"", b"somebody", b""])
            handshakes += 1
            if handshakes == 2:
                connection.socket.send(b"x")  # frames behind the large one may be lost
        if router in ready:
            heard.append(len(router.recv_multipart()[1]))
    assert (heard, handshakes) == ([MAX_REQUEST_BYTES, 1], 2)
    connection.close()
    context.destroy(0)
