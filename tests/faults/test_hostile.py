"""Somebody sends what they should not to the command sockets, or is somebody else."""

import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from common import layout
from common.requests import Service
from common.sockets import Context
from tests.support.engine import SERVICES, Engine
from tests.support.hostile import COLLECTOR, DAMAGED, FEED, SUPERVISOR, of_other_types, request
from tests.support.ledger import Ledger, ledger_env, settled, write_ledger, write_ledger_traders

pytestmark = pytest.mark.timeout(240)

COMMANDS = {"collector": COLLECTOR, "feed": FEED, "trader": SUPERVISOR}
LOOK = {"collector": "status", "feed": "status", "trader": "supervisor"}
"""A request that changes nothing."""
FLOOD = 20_000
NOBODY = 65_534


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """What the feed plays: one second."""
    return write_ledger(tmp_path, ticks=600, seconds=1.0)


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger) -> Iterator[Engine]:
    """A running engine at the recording's end, where nothing changes any more."""
    with Engine(tmp_path, ledger_env(ledger), write_ledger_traders(tmp_path / "traders")) as engine:
        engine.start()
        engine.wait(lambda: settled(engine, ledger), what="matches equal a full evaluation")
        engine.request("feed", "swap")  # what was deferred would be announced in the middle of a test
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
    """Damaged frames, wrong types, many frames, random bytes on the bare socket, and a flood that nobody reads the
    answers of: the service lives, answers, and all is as before."""
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


def _answered(client: zmq.Socket[bytes], number: int) -> bool:
    """The request of that number has its answer."""
    while client.poll(0):
        if msgpack.unpackb(client.recv())[2] == number:
            return True
    return False


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
    """Not into the folder, and were that open, not to a socket, nor at a file."""
    folder = engine.runtime.folder
    folder.parent.chmod(0o755)
    files = [str(path) for path in folder.rglob("*") if not path.is_dir()]
    sockets = [path for path in files if path.endswith(("-commands", "-results", "-control", "-signals", "-events"))]
    assert len(sockets) == 7
    assert any(path.endswith(".seg") for path in files)

    def tried() -> dict[str, str]:
        command = [sys.executable, "-c", STRANGER, str(NOBODY), f"{folder}/", *files]
        out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        found: dict[str, str] = json.loads(out)
        return found

    assert set(tried().values()) == {"PermissionError"}
    folder.chmod(0o755)
    (folder / "logs").chmod(0o755)
    opened = tried()
    assert opened.pop(f"{folder}/") == ""
    assert set(opened.values()) == {"PermissionError"}
