"""Connections at a socket, step by step."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import zmq

from tests.support.processes.folders import runtime_folder
from tickflag.common.wire import connections as module
from tickflag.common.wire.connections import Connections
from tickflag.common.wire.sockets import FEED_COMMANDS_SERVER, Context, open_socket

WITHIN_MS = 60_000


@dataclass
class WatchedSocket:
    """A bound socket, its connections, and clients that say nothing."""

    connections: Connections
    place: str
    stack: ExitStack

    def connect(self) -> socket.socket:
        """A client that the socket has accepted."""
        client = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        client.connect(self.place)
        assert self.connections.socket.poll(WITHIN_MS)
        return client


@pytest.fixture
def watched() -> Iterator[WatchedSocket]:
    context: Context = zmq.Context()
    with runtime_folder() as runtime, ExitStack() as stack:
        bound = open_socket(context, runtime, FEED_COMMANDS_SERVER)
        connections = Connections(context, bound, 100)
        connections.bound_at(f"ipc://{runtime.folder / 'feed-commands'}")
        yield WatchedSocket(connections, str(runtime.folder / "feed-commands"), stack)
        connections.close()
        bound.close()
    context.term()


def test_a_step_has_an_end(watched: WatchedSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come: the caller has other work."""
    monkeypatch.setattr(module, "PER_STEP", 1)
    for _ in range(3):
        watched.connect()
        assert watched.connections.step() == 1
    assert watched.connections.step() == 0


def test_all_are_hung_up(watched: WatchedSocket) -> None:
    """Also those that nobody looked at before."""
    client = watched.connect()
    watched.connections.hang_up()
    client.settimeout(WITHIN_MS / 1_000)
    while client.recv(100):  # what a ZeroMQ says first
        pass


def test_an_accept_that_failed_keeps_nobody_out(watched: WatchedSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """It closed the gate like any other, and there is no connection to hang up."""
    watched.connect()
    failed = {"event": zmq.EVENT_ACCEPT_FAILED, "value": errno.EMFILE}
    with monkeypatch.context() as patch:
        patch.setattr(module, "parse_monitor_message", lambda _frames: failed)
        assert watched.connections.step() == 1
    assert not watched.connections.shut
    watched.connections.hang_up()
    watched.connect()
    assert watched.connections.step() == 1


def test_a_descriptor_of_something_else_is_left_alone(watched: WatchedSocket) -> None:
    """ZeroMQ closed the connection, and the number is another file's now."""
    one, other = socket.socketpair()
    with one, other:
        watched.connections._hang_up(one.fileno())
        other.sendall(b"x")
        assert one.recv(1) == b"x"
