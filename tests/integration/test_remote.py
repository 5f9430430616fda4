"""A real collector and operators on other machines: strangers get nothing, the allowed get what is theirs."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.support.documents.pages import ROOT
from tests.support.harnesses.collector_process import FakeWorker
from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.harnesses.follower_shells import SHELLS, FollowingProgram
from tests.support.harnesses.open_collector import OpenCollector
from tests.support.processes.commands import tickflag_command
from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import WITHIN_S, allowed_s
from tickflag.common.errors import TickflagError
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import Request
from tickflag.common.wire.requests import KeyRefused, Unreachable
from tickflag.common.wire.sockets import Context

KILL = encode(Request(id=1, what="flags.kill", arguments={"flag": "audit"}))


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[OpenCollector]:
    with runtime_folder() as runtime:
        collector = OpenCollector(runtime, tmp_path)
        worker = FakeWorker(FakeTrader(), collector.results, collector.controls)
        try:
            collector.ask("status")
            assert collector.results.poll(int(allowed_s(WITHIN_S) * 1_000), zmq.POLLOUT)
            worker.change({"A": 1.0})
            worker.change({"A": 1.0, "B": 2.0})
            collector.wait_for(lambda: collector.status()["last_seq"] == 2)
            yield collector
        finally:
            collector.close()


def _plain_client(collector: OpenCollector, curve: bool) -> None:
    """Send a command without keys, or with keys that nobody knows, and check that nothing comes back."""
    context: Context = zmq.Context()
    client = context.socket(zmq.DEALER)
    if curve:
        client.curve_publickey, client.curve_secretkey = collector.keyring.pair("eve")
        client.curve_serverkey = collector.keyring.pair().public
    client.linger = 0
    client.connect(collector.status()["remote_commands"])
    client.send(KILL)
    assert not client.poll(1_000)
    client.close()
    context.term()


def test_strangers_get_nothing(collector: OpenCollector) -> None:
    """No request of a stranger reaches the collector, which goes on.

    The strangers have no keys, a key that is not allowed, a wrong key of the server, or send bytes that are no ZeroMQ.
    """
    before = collector.state()
    _plain_client(collector, curve=False)
    _plain_client(collector, curve=True)
    with collector.client("eve") as client, pytest.raises(Unreachable, match="does not allow the key"):
        client.ask("flags.kill", flag="audit")
    with collector.client("ann", "other", 1.0) as client, pytest.raises(Unreachable, match="has another key"):
        client.ask("flags.kill", flag="audit")
    host, port = collector.status()["remote_commands"].removeprefix("tcp://").split(":")
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(1_000), b"\xff" + bytes(7) + b"\x01\x7f", KILL):
        with socket.create_connection((host, int(port)), 10) as raw:
            raw.sendall(garbage)
    assert collector.state() == before
    assert collector.status()["remote_refused"] == 2
    assert collector.status()["remote_dropped"] == collector.status()["dropped_messages"] == 0
    with collector.client("ann") as client:
        assert client.ask("status")["collector"]["last_seq"] == 2


def test_an_operator_works_from_elsewhere(collector: OpenCollector) -> None:
    """The command line shows traders, matches and signals, and sets feature flags under the name of the key."""
    assert "breakout" in collector.run("ann", "traders").stdout
    assert "2 matches of breakout" in collector.run("ann", "matches", "breakout").stdout
    assert len(collector.run("ann", "signals", "--json").stdout.splitlines()) == 2
    assert "for ann" in collector.run("ann", "status").stdout
    assert collector.run("ann", "flags", "kill", "audit").returncode == 0
    [change] = collector.ask("flags.history")
    assert (change["flag"], change["field"], change["who"].endswith(" (key ann)")) == ("audit", "killed", True)
    refused = collector.run("ann", "segment", "swap")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "own machine only" in refused.stderr
    stranger = collector.run("eve", "flags", "kill", "audit", "--undo")
    assert (stranger.returncode, stranger.stdout, stranger.stderr.count("\n")) == (1, "", 1)
    assert "does not allow the key" in stranger.stderr
    assert len(collector.ask("flags.history")) == 1


def test_a_revoked_operator_is_out(collector: OpenCollector) -> None:
    """The stream of signals ends with the reason, an open connection is refused, and a new one is not made."""
    command = tickflag_command("signals", "--since", "0", "--follow", "--json")
    follower = subprocess.Popen(
        command, cwd=ROOT, env=collector.operator("ann"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert follower.stdout is not None
        assert [json.loads(follower.stdout.readline())["symbol"] for _ in range(2)] == ["A", "B"]
        worker = FakeWorker(FakeTrader("other"), collector.results, collector.controls)
        worker.change({"C": 1.0})
        assert json.loads(follower.stdout.readline())["symbol"] == "C"
        with collector.client("ann") as client:
            client.ask("status")
            collector.keyring.revoke("ann")
            collector.wait_for(lambda: collector.status()["remote_keys"] == [])
            before = collector.state()
            with pytest.raises(Exception, match="this key is not allowed any more"):
                client.ask("flags.kill", flag="audit")
        with collector.client("ann") as client, pytest.raises(Unreachable, match="does not allow the key"):
            client.ask("flags.kill", flag="audit")
        assert collector.state() == before
        _, err = follower.communicate(timeout=allowed_s(WITHIN_S))
        assert (follower.returncode, "does not allow the key" in err) == (1, True)
        collector.keyring.allow("ann")
        collector.wait_for(lambda: collector.status()["remote_keys"] == ["ann"])
        with collector.client("ann") as client:
            assert client.ask("status")
    finally:
        follower.kill()
        follower.communicate()


def test_a_taken_port_does_not_end_the_collector(collector: OpenCollector) -> None:
    """The collector goes on without the port, and opens it when it is free. A start without a key ends with one
    line."""
    code, _, err = collector.end(signal.SIGTERM)
    assert (code, err) == (0, "")
    collector.start(TICKFLAG_REMOTE__SERVER_KEY="/none/server.key_secret")
    _, err = collector.process.communicate(timeout=allowed_s(WITHIN_S))
    assert (collector.process.returncode, err.count("\n")) == (1, 1)
    assert "tickflag keys new-server" in err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        collector.start(TICKFLAG_REMOTE__COMMANDS=address)
        assert collector.status()["remote_commands"] == ""
        assert collector.ask("traders")
    collector.wait_for(lambda: collector.status()["remote_commands"] == address)
    with collector.client("ann") as client:
        assert client.ask("status")
    code, out, err = collector.end(signal.SIGTERM)
    assert (code, err, out.count("no connections from other machines")) == (0, "", 1)


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is of Linux")
def test_strangers_use_up_the_descriptors(collector: OpenCollector) -> None:
    """The collector goes on, with its list of keys, where so many strangers connect that descriptors run out: it hangs
    up on them. When they leave, operators connect again."""
    with collector.client("ann") as client:
        client.ask("status")
        pid = collector.process.pid
        ports = [int(collector.status()[name].rpartition(":")[2]) for name in ("remote_commands", "remote_signals")]
        used = len(os.listdir(f"/proc/{pid}/fd"))
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 40, most))
        with ExitStack() as strangers:
            for port in ports * 100:
                strangers.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            collector.wait_for(lambda: collector.status()["remote_hung_up"] >= 100)
            beat = collector.controls
            for _ in range(5):  # heartbeats, at each of which the folder of keys is read
                assert beat.poll(int(allowed_s(WITHIN_S) * 1_000))
                beat.recv()
            assert client.ask("status")["collector"]["remote_keys"] == ["ann"]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
    assert collector.process.poll() is None
    assert collector.status()["last_seq"] == 2
    with collector.client("ann") as client:
        assert client.ask("status")["collector"]["remote_keys"] == ["ann"]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell.__name__))
def test_following_from_elsewhere(collector: OpenCollector, shell: Any) -> None:
    """The follower goes on after a restart, though the signals come from another port then, and though none come for a
    while as the port is taken. It ends where its key is taken away."""
    commands = collector.status()["remote_commands"]
    program = FollowingProgram(shell, collector.runtime, collector.keyring.remote(commands, "ann"))
    worker = FakeWorker(FakeTrader("other"), collector.results, collector.controls)
    followed = program.followed
    try:
        program.follow_until(lambda: bool(followed.snapshots))
        worker.change({"C": 1.0})
        program.follow_until(lambda: "C" in followed.matches.get("other", {}))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            collector.end(signal.SIGKILL)
            program.follow_until(lambda: followed.away)
            collector.start(TICKFLAG_REMOTE__COMMANDS=commands, TICKFLAG_REMOTE__SIGNALS=f"tcp://127.0.0.1:{port}")
            program.follow_until(lambda: not followed.away)
            worker.change({"C": 1.0, "D": 2.0})
            program.follow_until(lambda: "D" in followed.matches["other"], worker.beat)
        collector.wait_for(lambda: bool(collector.status()["remote_signals"]))
        collector.end(signal.SIGKILL)
        program.follow_until(lambda: followed.away)
        collector.start(TICKFLAG_REMOTE__COMMANDS=commands)
        worker.change({"E": 1.0})
        program.follow_until(lambda: "E" in followed.matches["other"], worker.beat)
        assert followed.told[:2] == ["away", "back"]
        collector.keyring.revoke("ann")
        with pytest.raises(TickflagError, match=r"does not allow the key|not allowed any more"):
            program.follow_until(lambda: False)
        program.stop()
        program.start()
        with pytest.raises(KeyRefused, match="does not allow the key"):
            program.follow_until(lambda: False)
    finally:
        program.stop()


def test_following_where_nothing_is_published(collector: OpenCollector) -> None:
    """The error names the setting."""
    collector.end(signal.SIGTERM)
    collector.start(TICKFLAG_REMOTE__SIGNALS="")
    program = FollowingProgram(
        SHELLS[0], collector.runtime, collector.keyring.remote(collector.status()["remote_commands"], "ann")
    )
    try:
        with pytest.raises(TickflagError, match=r"publishes no signals to other machines: set `remote.signals` there"):
            program.follow_until(lambda: False)
    finally:
        program.stop()


def test_the_view_in_the_terminal(collector: OpenCollector) -> None:
    """It shows what the collector tells, also of its signals; of the feed nothing is known. A key that is not allowed
    is told in one line."""
    done = collector.run("ann", "top")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert f" at {collector.status()['remote_commands']} live" in lines[0]
    assert lines[1].startswith("Matches now       2 of 1 trader ")
    assert any(line.startswith("Symbols           \N{EN DASH} ") for line in lines)
    assert [line.split()[2] for line in lines[lines.index("Just entered or left") + 1 :]] == ["B", "A"]
    refused = collector.run("eve", "top")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert "does not allow the key" in refused.stderr
