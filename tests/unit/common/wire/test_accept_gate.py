"""The gate of a bound socket: one connection at a time, each only when it is let in."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import wait_until
from tickflag.common.runtime import Runtime
from tickflag.common.wire import accept_gate
from tickflag.common.wire.accept_gate import AcceptGate, borrowed, find_gate
from tickflag.common.wire.sockets import FEED_COMMANDS_SERVER, Context, open_socket

WITHIN_S = 60.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="fdinfo is of Linux")


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


@pytest.fixture
def gate(runtime: Runtime) -> Iterator[AcceptGate]:
    context: Context = zmq.Context()
    bound = open_socket(context, runtime, FEED_COMMANDS_SERVER)
    try:
        gate = find_gate(str(runtime.folder / "feed-commands"))
        assert gate is not None
        yield gate
    finally:
        bound.close()
        context.term()


def _client(stack: ExitStack, runtime: Runtime) -> socket.socket:
    client = stack.enter_context(socket.socket(socket.AF_UNIX))
    client.settimeout(WITHIN_S)
    client.connect(str(runtime.folder / "feed-commands"))
    return client


def test_one_at_a_time(gate: AcceptGate, runtime: Runtime) -> None:
    """Whoever comes waits until the gate is opened, and each opening is for one."""
    with ExitStack() as stack:
        assert not gate.someone_waits()
        clients = [_client(stack, runtime) for _ in range(3)]
        for client in clients:
            assert gate.someone_waits()
            gate.open()
            assert gate.is_open
            assert client.recv(1) == b"\xff"  # what a ZeroMQ says first
            gate.shut()
        assert not gate.someone_waits()


def test_an_open_gate_waits_for_a_client(gate: AcceptGate, runtime: Runtime) -> None:
    """Also where the client comes later; closed again, the gate lets nobody in."""
    with ExitStack() as stack:
        gate.open()
        assert _client(stack, runtime).recv(1) == b"\xff"
        gate.open()
        gate.close()
        late = _client(stack, runtime)
        assert gate.someone_waits()
        gate.open()
        assert late.recv(1) == b"\xff"


def test_no_gate_where_nothing_of_zeromq_listens(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither at a path where nobody listens, nor at one where something else does, nor on a system without the
    files."""
    monkeypatch.setattr(accept_gate, "REGISTERED_S", 0.01)
    path = str(runtime.folder / "other")
    assert find_gate(path) is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        assert find_gate(path) is None
    monkeypatch.setattr(accept_gate, "_FOLDER", Path("/none"))
    assert find_gate(path) is None


def test_a_gate_that_is_gone(runtime: Runtime) -> None:
    """Opening it harms nothing."""
    context: Context = zmq.Context()
    bound = open_socket(context, runtime, FEED_COMMANDS_SERVER)
    gate = find_gate(str(runtime.folder / "feed-commands"))
    assert gate is not None
    bound.close()
    context.term()
    gate.open()
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(str(runtime.folder / "feed-commands"))


def test_a_borrowed_descriptor_stays_open() -> None:
    """Whoever borrows does not own it."""
    one, other = socket.socketpair()
    with one, other:
        with borrowed(one.fileno()) as same:
            assert same.fileno() == one.fileno()
        one.sendall(b"x")
        wait_until(lambda: other.recv(1) == b"x", what="the pair works")
