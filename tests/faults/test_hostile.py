"""The command sockets get what nobody should send, or what another user sends."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from tests.support.harnesses.engine import SERVICES, Engine
from tests.support.markets.ledger import Ledger, ledger_env, settled, write_ledger, write_ledger_traders
from tests.support.processes.commands import run_command
from tests.support.processes.forged import forged
from tests.support.processes.hostile import COLLECTOR, DAMAGED, FEED, SUPERVISOR, of_other_types, request
from tickflag.common.errors import TickflagError
from tickflag.common.segment import layout
from tickflag.common.wire.requests import Service
from tickflag.common.wire.sockets import Context

COMMANDS = {"collector": COLLECTOR, "feed": FEED, "trader": SUPERVISOR}
LOOK = {"collector": "status", "feed": "status", "trader": "supervisor"}
"""A request that changes nothing."""
ASKS: dict[Service, str] = {
    "trader": "trader restart by-array",
    "collector": "matches by-array",
    "feed": "segment swap",
}
FLOOD = 20_000
NOBODY = 65_534


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The recording that the feed plays: one second."""
    return write_ledger(tmp_path, ticks=600, seconds=1.0)


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger) -> Iterator[Engine]:
    """A running engine at the recording's end, after which nothing changes."""
    with Engine(tmp_path, ledger_env(ledger), write_ledger_traders(tmp_path / "traders")) as engine:
        engine.start()
        engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
        engine.request("feed", "swap")  # announce what was deferred, which else would happen in the middle of a test
        engine.wait(lambda: engine.request("collector", "control")["resync"] == {}, what="nothing is asked for")
        yield engine


def _state(engine: Engine) -> Any:
    """All that a command could change."""
    traders = [
        (trader["name"], trader["state"], trader["pid"], trader["restarts"], trader["busy"])
        for trader in engine.request("trader", "traders")
    ]
    with engine.segment() as segment:
        market = (segment.generation, int(segment.arrays.living[layout.DEBUG_ON]), segment.counters())
    control = engine.request("collector", "control")
    return (
        traders,
        market,
        (control["state_version"], control["features"], control["resync"]),
        engine.request("collector", "flags.list"),
        engine.signals(),
        {trader: engine.matches(trader) for trader in ("by-array", "by-symbol")},
        [engine.pid(service) for service in SERVICES],
    )


def _endpoint(engine: Engine, service: str) -> str:
    return engine.runtime.socket(f"{service}-commands")


def _client(context: Context, endpoint: str) -> zmq.Socket[bytes]:
    client = context.socket(zmq.DEALER)
    client.linger = 0
    client.set_hwm(0)
    client.connect(endpoint)
    return client


@pytest.mark.parametrize("service", COMMANDS)
def test_hostile_requests_change_nothing(engine: Engine, service: Service) -> None:
    """A service survives hostile requests, answers on, and changes nothing.

    They are damaged frames, wrong types, many frames, random bytes on the bare socket, and a flood whose answers nobody
    reads.
    """
    before = _state(engine)
    sure = random.Random(5)
    context: Context = zmq.Context()
    client = _client(context, _endpoint(engine, service))
    for frame in DAMAGED:
        client.send(frame)
    for what, arguments in of_other_types(COMMANDS[service]):
        client.send(request(what, arguments))
    for count in (2, 3, 1_000):
        client.send_multipart([b""] * count + [request(LOOK[service], {})])
    whole = request(LOOK[service], {})
    for _ in range(500):
        client.send(sure.randbytes(sure.randrange(200)))
        client.send(whole[: sure.randrange(len(whole))])
    for size in (1, 10, 1_000, 100_000):
        path = str(engine.runtime.folder / f"{service}-commands")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
            raw.connect(path)
            raw.sendall(sure.randbytes(size))
    flood = _client(context, _endpoint(engine, service))
    for _ in range(FLOOD):
        flood.send(whole)
    engine.request(service, LOOK[service])
    client.send(request("?", {}, 12_345))
    engine.wait(lambda: _answered(client, 12_345), what="all that was sent has been looked at")
    client.close()
    flood.close()
    context.term()
    assert _state(engine) == before
    assert all(engine.alive(name) for name in SERVICES)


def _without_version(state: Any) -> Any:
    """The control state says which incarnation is known of a trader that was ignored, and so has another version."""
    return [*state[:2], state[2][1:], *state[3:]]


def test_forged_messages_change_nothing(engine: Engine) -> None:
    """Messages of every kind with values that are none, at every socket that takes messages: refused, and one line a
    second tells of them, without escape codes."""
    frames = list(forged("by-array"))
    assert len(frames) > 1_500
    before = _without_version(_state(engine))
    began_s = time.monotonic()
    context: Context = zmq.Context()
    results = context.socket(zmq.PUSH)
    results.linger = 0
    results.set_hwm(0)
    results.connect(engine.runtime.socket("collector-results"))
    clients = [_client(context, _endpoint(engine, service)) for service in COMMANDS]
    for frame in frames:
        results.send(frame)
        for client in clients:
            client.send(frame)
    for client in clients:
        client.send(request("?", {}, 12_345))
        engine.wait(partial(_answered, client, 12_345), what="all that was sent has been looked at")

    def refused() -> bool:
        about = engine.request("collector", "status")["collector"]
        return bool(about["dropped_messages"] + about["ignored_messages"] >= 2 * len(frames) - 100)

    engine.wait(refused, what="all results are counted")
    results.close()
    for client in clients:
        client.close()
    context.term()
    assert _without_version(_state(engine)) == before
    seconds = time.monotonic() - began_s
    for service in SERVICES:
        said = engine.output(service)
        assert engine.alive(service)
        assert "Traceback" not in said
        assert "\x1b[2J" not in said
        assert said.count("dropped messages") + said.count("bad requests") <= 2 * seconds + 3


def _answered(client: zmq.Socket[bytes], number: int) -> bool:
    """Whether the request of that number has its answer."""
    while client.poll(0):
        if msgpack.unpackb(client.recv())[2] == number:
            return True
    return False


IMPOSTOR = """
import os, sys, zmq
context = zmq.Context()
socket = context.socket(zmq.ROUTER)
os.unlink(sys.argv[1])
socket.bind("ipc://" + sys.argv[1])
print("there", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is of Linux")
def test_a_socket_file_that_was_replaced(engine: Engine) -> None:
    """Whoever asks says in one line which process listens there instead, and takes nothing from it."""
    for service, line in ASKS.items():
        path = engine.runtime.folder / f"{service}-commands"
        command = [sys.executable, "-c", IMPOSTOR, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as impostor:
            assert impostor.stdout is not None
            assert impostor.stdout.readline() == "there\n"
            told = f"the process {impostor.pid} listens at {path} in place of the {service}: "
            with pytest.raises(TickflagError) as refused:
                engine.request(service, LOOK[service])
            assert str(refused.value).startswith(told)
            done = engine.cli(*line.split())
            assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
            assert told in done.stderr
        assert engine.stop(service) == 0
        engine.start(service)
        engine.wait(partial(engine.request, service, LOOK[service]), what="a restart puts the file right")


def test_forged_events_and_control(engine: Engine) -> None:
    """Whoever holds the files of events and control state can say nothing that ends or misleads a worker or the
    supervisor, and what comes from the engine afterwards counts."""
    assert engine.stop("trader") == 0
    frames = [frame for frame in forged("by-array") if len(frame) < 100_000]
    before = {trader: engine.matches(trader) for trader in ("by-array", "by-symbol")}
    context: Context = zmq.Context()
    sockets = []
    for name in ("feed-events", "collector-control", "collector-signals"):
        (engine.runtime.folder / name).unlink()
        socket = context.socket(zmq.XPUB)
        socket.linger = 0
        socket.set_hwm(0)
        socket.bind(engine.runtime.socket(name))
        sockets.append(socket)
    events, control, _ = sockets
    engine.start("trader")
    topics: set[bytes] = set()
    while not (control.poll(0) and topics):  # a worker has come
        engine.wait(lambda: events.poll(0), what="a worker follows the events")
        topics.add(events.recv()[1:])
    for frame in frames:
        control.send(frame)
        for topic in topics:
            events.send(topic + frame)
    engine.wait(lambda: engine.trader("by-array")["state"] == "running", what="it runs")
    for socket in sockets:
        socket.close()
    context.term()
    for service in ("feed", "collector"):
        assert engine.stop(service) == 0
        engine.start(service)
    engine.wait(
        lambda: {trader: engine.matches(trader) for trader in before} == before,
        what="the matches are right",
    )
    for service in SERVICES:
        assert engine.alive(service)
        assert "Traceback" not in engine.output(service)


STRANGER = """
import json, os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
found = {}
for path in sys.argv[2:]:
    try:
        if path.endswith("/"):
            os.listdir(path)
        elif "-" in os.path.basename(path):
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(path)
        else:
            open(path, "rb")
        found[path] = ""
    except OSError as error:
        found[path] = type(error).__name__
print(json.dumps(found))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_gets_nowhere(engine: Engine) -> None:
    """Another user cannot enter the folder; if that were open, neither connect to a socket nor open a file."""
    folder = engine.runtime.folder
    folder.parent.chmod(0o755)
    files = [str(path) for path in folder.rglob("*") if not path.is_dir()]
    sockets = [path for path in files if path.endswith(("-commands", "-results", "-control", "-signals", "-events"))]
    assert len(sockets) == 7
    assert any(path.endswith(".seg") for path in files)

    def tried() -> dict[str, str]:
        command = [sys.executable, "-c", STRANGER, str(NOBODY), f"{folder}/", *files]
        done = run_command(command)
        assert done.returncode == 0, done.stderr
        found: dict[str, str] = json.loads(done.stdout)
        return found

    assert set(tried().values()) == {"PermissionError"}
    folder.chmod(0o755)
    (folder / "logs").chmod(0o755)
    opened = tried()
    assert opened.pop(f"{folder}/") == ""
    assert set(opened.values()) == {"PermissionError"}
