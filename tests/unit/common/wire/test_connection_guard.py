"""Clients that never hang up: those beyond a share are hung up, others are served, and one line says so."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import cast

import pytest
import zmq

from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import wait_until
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.wire import connection_guard, connections
from tickflag.common.wire.connection_guard import ConnectionGuard
from tickflag.common.wire.sockets import FEED_COMMANDS_SERVER, Context, open_socket


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


def _hung_up(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while client.recv(100):  # what a ZeroMQ says first
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(
    ("most", "most_of_one", "limit", "words"),
    [
        (3, 100, 1 << 20, "more than 3 at a time"),
        (100, 3, 1 << 20, "more than 3 of the process"),
        (100, 100, 4, "the limit of 4 open files is nearly reached"),
    ],
)
def test_too_many_connections(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, most: int, most_of_one: int, limit: int, words: str
) -> None:
    """Whatever the limit is that they pass."""
    if limit == 4:
        monkeypatch.setattr(connections, "find_gate", lambda place: None)  # a system without gates
    monkeypatch.setattr(connection_guard, "MOST", most)
    monkeypatch.setattr(connection_guard, "MOST_OF_ONE", most_of_one)
    log = RecordedLog()
    context: Context = zmq.Context()
    bound = open_socket(context, runtime, FEED_COMMANDS_SERVER)
    guard = ConnectionGuard(context, {"feed-commands": bound}, cast(Logger, log))
    monkeypatch.setattr(connections, "descriptor_limit", lambda: limit)
    with ExitStack() as stack:
        clients = []
        for _ in range(10):
            clients.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
            clients[-1].connect(str(runtime.folder / "feed-commands"))
        kept = 0 if limit == 4 else 3
        wait_until(lambda: sum(map(_hung_up, clients)) == 10 - kept, what="the others are hung up")
        assert not any(map(_hung_up, clients[:kept]))
    guard.close()
    bound.close()
    context.term()
    [(level, event, fields)] = log.lines
    assert (level, event, fields["socket"]) == ("warning", "connections hung up", "feed-commands")
    assert words in fields["reason"]
    assert "ulimit -n" in fields["do"]


def test_few_descriptors_are_left(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let in, and one line says so; then somebody is, for whom a connection of the greediest is hung up."""
    room = 1
    monkeypatch.setattr(connection_guard, "LOOK_MS", 1)
    monkeypatch.setattr(connection_guard, "MOST_OF_ONE", 32)
    monkeypatch.setattr(connections, "keeps_descriptors", lambda spare: room > 0)
    log = RecordedLog()
    context: Context = zmq.Context()
    bound = open_socket(context, runtime, FEED_COMMANDS_SERVER, hidden=True)
    assert not (runtime.folder / "feed-commands").exists()
    guard = ConnectionGuard(context, {"feed-commands": bound}, cast(Logger, log))
    with ExitStack() as stack:
        clients = []

        def connect(count: int) -> None:
            for _ in range(count):
                clients.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
                clients[-1].settimeout(60.0)
                clients[-1].connect(str(runtime.folder / "feed-commands"))

        connect(6)
        for client in clients:
            assert client.recv(1) == b"\xff"
        room = 0
        connect(3)  # one of which comes in where the gate was opened for it before
        wait_until(lambda: sum(map(_hung_up, clients)) >= 2, what="the newest are hung up for those that wait")
        assert not any(map(_hung_up, clients[:4])), "a share is everybody's"
        wait_until(lambda: len(log.lines) == 1, what="the log says it")
        room = 1
        for client in clients[7:]:
            client.setblocking(True)
            assert client.recv(1) == b"\xff"
    guard.close()
    bound.close()
    context.term()
    [(_, event, fields)] = log.lines
    assert event == "connections hung up"
    assert "is nearly reached" in fields["reason"]
