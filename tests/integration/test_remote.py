"""A real collector and operators on other machines: strangers get nothing, the allowed get what is theirs."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from common.codec import encode
from common.messages import Request
from common.requests import Client, Unreachable
from common.sockets import Context
from tests.support.collector_site import ROOT, WITHIN_S, Site, Worker
from tests.support.fake_trader import FakeTrader
from tests.support.folders import runtime_folder
from tests.support.keyring import Keyring

KILL = encode(Request(id=1, what="flags.kill", arguments={"flag": "audit"}))


class Open(Site):
    """A collector that is open to other machines, with a trader that has matches; and a desk of operators."""

    def __init__(self, runtime: Any, folder: Path) -> None:
        self.keyring = Keyring(folder)
        self.keyring.allow("ann")
        self.folder = folder
        super().__init__(runtime)

    def start(self, **settings: str) -> subprocess.Popen[str]:
        return super().start(
            **{
                "TICKFLAG_REMOTE__COMMANDS": "tcp://127.0.0.1:*",
                "TICKFLAG_REMOTE__SIGNALS": "tcp://127.0.0.1:*",
                "TICKFLAG_REMOTE__SERVER_KEY": str(self.keyring.secret_file()),
                "TICKFLAG_REMOTE__ALLOWED": str(self.keyring.allowed),
                **settings,
            }
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("status")["collector"]
        return found

    def state(self) -> Any:
        """All that a stranger could want to change."""
        status = self.status()
        return status["state_version"], status["last_seq"], self.ask("flags.list"), self.ask("traders")[0]["matches"]

    def client(self, name: str, server: str = "server", timeout_s: float = WITHIN_S) -> Client:
        remote = self.keyring.remote(self.status()["remote_commands"], name, server)
        return Client(self.runtime, "collector", timeout_s, remote)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "services.cli", *arguments]

    def operator(self, name: str) -> dict[str, str]:
        """The environment on the operator's machine: another runtime folder, and nothing but keys and address."""
        home = self.folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        ours = {key: value for key, value in os.environ.items() if not key.startswith("TICKFLAG_")}
        return ours | {
            "TICKFLAG_CONFIG": str(home),
            "TICKFLAG_RUNTIME__ROOT": str(self.runtime.folder.parent / name),  # short, as paths of sockets must be
            "TICKFLAG_REMOTE__CONNECT": self.status()["remote_commands"],
            "TICKFLAG_REMOTE__CONNECT_KEY": str(self.keyring.public_file()),
            "TICKFLAG_REMOTE__CLIENT_KEY": str(self.keyring.secret_file(name)),
        }

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT, env=self.operator(name), capture_output=True, text=True, timeout=WITHIN_S,
        )  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Open]:
    with runtime_folder() as runtime:
        site = Open(runtime, tmp_path)
        worker = Worker(FakeTrader(), site.results, site.controls)
        try:
            site.ask("status")
            assert site.results.poll(30_000, zmq.POLLOUT)
            worker.change({"A": 1.0})
            worker.change({"A": 1.0, "B": 2.0})
            site.wait_for(lambda: site.status()["last_seq"] == 2)
            yield site
        finally:
            site.close()


def _plain_client(site: Open, curve: bool) -> None:
    """Send a command without keys, or with keys that nobody knows, and see that nothing comes back."""
    context: Context = zmq.Context()
    client = context.socket(zmq.DEALER)
    if curve:
        client.curve_publickey, client.curve_secretkey = site.keyring.pair("eve")
        client.curve_serverkey = site.keyring.pair().public
    client.linger = 0
    client.connect(site.status()["remote_commands"])
    client.send(KILL)
    assert not client.poll(1_000)
    client.close()
    context.term()


def test_strangers_get_nothing(site: Open) -> None:
    """Without keys, with a key that is not allowed, with a wrong key of the server, with bytes that are no ZeroMQ: no
    request of theirs reaches the collector, which goes on."""
    before = site.state()
    _plain_client(site, curve=False)
    _plain_client(site, curve=True)
    with site.client("eve") as client, pytest.raises(Unreachable, match="does not allow the key"):
        client.ask("flags.kill", flag="audit")
    with site.client("ann", "other", 1.0) as client, pytest.raises(Unreachable, match="has another key"):
        client.ask("flags.kill", flag="audit")
    host, port = site.status()["remote_commands"].removeprefix("tcp://").split(":")
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(1_000), b"\xff" + bytes(7) + b"\x01\x7f", KILL):
        with socket.create_connection((host, int(port)), 10) as raw:
            raw.sendall(garbage)
    assert site.state() == before
    assert site.status()["remote_refused"] == 2
    assert site.status()["remote_dropped"] == site.status()["dropped_messages"] == 0
    with site.client("ann") as client:
        assert client.ask("status")["collector"]["last_seq"] == 2


def test_an_operator_works_from_elsewhere(site: Open) -> None:
    """The command line shows traders, matches and signals, and sets flags, under the name of the key."""
    assert "breakout" in site.run("ann", "traders").stdout
    assert "2 matches of breakout" in site.run("ann", "matches", "breakout").stdout
    assert len(site.run("ann", "signals", "--json").stdout.splitlines()) == 2
    assert "for ann" in site.run("ann", "status").stdout
    assert site.run("ann", "flags", "kill", "audit").returncode == 0
    [change] = site.ask("flags.history")
    assert (change["flag"], change["field"], change["who"].endswith(" (key ann)")) == ("audit", "killed", True)
    refused = site.run("ann", "segment", "swap")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "own machine only" in refused.stderr
    stranger = site.run("eve", "flags", "kill", "audit", "--undo")
    assert (stranger.returncode, stranger.stdout, stranger.stderr.count("\n")) == (1, "", 1)
    assert "does not allow the key" in stranger.stderr
    assert len(site.ask("flags.history")) == 1


def test_a_revoked_operator_is_out(site: Open) -> None:
    """The stream of signals ends with the reason, an open connection is refused, and a new one does not come about."""
    command = site.command("signals", "--since", "0", "--follow", "--json")
    follower = subprocess.Popen(
        command, cwd=ROOT, env=site.operator("ann"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert follower.stdout is not None
        assert [json.loads(follower.stdout.readline())["symbol"] for _ in range(2)] == ["A", "B"]
        worker = Worker(FakeTrader("other"), site.results, site.controls)
        worker.change({"C": 1.0})
        assert json.loads(follower.stdout.readline())["symbol"] == "C"
        with site.client("ann") as client:
            client.ask("status")
            site.keyring.revoke("ann")
            site.wait_for(lambda: site.status()["remote_keys"] == [])
            before = site.state()
            with pytest.raises(Exception, match="this key is not allowed any more"):
                client.ask("flags.kill", flag="audit")
        with site.client("ann") as client, pytest.raises(Unreachable, match="does not allow the key"):
            client.ask("flags.kill", flag="audit")
        assert site.state() == before
        _, err = follower.communicate(timeout=WITHIN_S)
        assert (follower.returncode, "does not allow the key" in err) == (1, True)
        site.keyring.allow("ann")
        site.wait_for(lambda: site.status()["remote_keys"] == ["ann"])
        with site.client("ann") as client:
            assert client.ask("status")
    finally:
        follower.kill()
        follower.communicate()


def test_a_taken_port_does_not_end_the_collector(site: Open) -> None:
    """It goes on without, and opens when the port is free; a start without a key ends with one line."""
    code, _, err = site.end(signal.SIGTERM)
    assert (code, err) == (0, "")
    site.start(TICKFLAG_REMOTE__SERVER_KEY="/none/server.key_secret")
    _, err = site.process.communicate(timeout=WITHIN_S)
    assert (site.process.returncode, err.count("\n")) == (1, 1)
    assert "tickflag keys new-server" in err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        site.start(TICKFLAG_REMOTE__COMMANDS=address)
        assert site.status()["remote_commands"] == ""
        assert site.ask("traders")
    site.wait_for(lambda: site.status()["remote_commands"] == address)
    with site.client("ann") as client:
        assert client.ask("status")
    code, out, err = site.end(signal.SIGTERM)
    assert (code, err, out.count("no connections from other machines")) == (0, "", 1)
