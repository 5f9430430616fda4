"""The collector's sockets for other machines: who is let in, who is put out, and addresses that are in use."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import zmq

from tests.support.harnesses.keyring import Keyring
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.settings import load
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.requests import Connection, Unreachable
from tickflag.common.wire.sockets import REMOTE_COMMANDS_CLIENT, REMOTE_SIGNALS_IN, Context, TcpRole
from tickflag.services.collector.remote.remote_access import RemoteAccess, open_remote

WITHIN_S = 20.0
ANY = "tcp://127.0.0.1:*"


class RemoteAccessHarness:
    """A Remote whose folder of keys the test fills, and clients."""

    def __init__(self, folder: Path) -> None:
        self.keyring = Keyring(folder)
        self.log = RecordedLog()
        self.asked: list[tuple[str, str]] = []
        self.context: Context = zmq.Context()
        self.remote: RemoteAccess | None = None
        self._clients: list[Connection] = []

    def open(self, **settings: str) -> RemoteAccess:
        given = {"server_key": str(self.keyring.secret_file()), "allowed": str(self.keyring.allowed), **settings}
        remote = open_remote(load(remote=given), cast(Logger, self.log), self._answer)
        assert remote is not None
        self.remote = remote
        return remote

    def _answer(self, request: Request, key: str) -> Reply:
        self.asked.append((request.what, key))
        return Reply(id=request.id, result="yes")

    @property
    def about(self) -> dict[str, Any]:
        assert self.remote is not None
        return self.remote.about()

    def client(self, name: str, role: TcpRole = REMOTE_COMMANDS_CLIENT, server: str = "server") -> Connection:
        address = self.about["remote_commands" if role is REMOTE_COMMANDS_CLIENT else "remote_signals"]
        client = Connection(self.context, role, self.keyring.remote(address, name, server))
        self._clients.append(client)
        return client

    def until(self, condition: Callable[[], Any], heartbeats: bool = False) -> None:
        """Take turns until the condition holds."""
        assert self.remote is not None
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline
            zmq.select(list(self.remote.inputs), [], [], 0.01)
            self.remote.step()
            if heartbeats:
                self.remote.refresh()

    def ask(self, client: Connection, what: str = "status") -> Reply:
        client.socket.send(encode(Request(id=1, what=what)))
        self.until(lambda: client.socket.poll(0))
        return decode_as(Reply, client.socket.recv())

    def is_refused(self, client: Connection) -> bool:
        """Whether the client knows that its key is not allowed."""
        try:
            client.check()
        except Unreachable:
            return True
        return False

    def hears(self, follower: Connection) -> bool:
        """Whether what is published arrives."""
        assert self.remote is not None
        self.remote.publish(b"signals")
        return bool(follower.socket.poll(10))

    def warnings(self) -> list[str]:
        return [event for level, event, _ in self.log.lines if level == "warning"]

    def close(self) -> None:
        for client in self._clients:
            client.close()
        if self.remote is not None:
            self.remote.close()
        self.context.destroy(0)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[RemoteAccessHarness]:
    harness = RemoteAccessHarness(tmp_path)
    yield harness
    harness.close()


def test_without_an_address_there_is_nothing(tmp_path: Path) -> None:
    """No socket is opened, and no key is read."""
    assert open_remote(load(), cast(Logger, RecordedLog()), lambda request, _key: Reply(id=request.id)) is None


@pytest.mark.parametrize("setting", ["commands", "signals"])
def test_without_a_key_nothing_is_opened(harness: RemoteAccessHarness, setting: str) -> None:
    """The error names the setting at fault, and how to make a key."""
    with pytest.raises(TickflagError) as caught:
        harness.open(**{setting: ANY, "server_key": "/none/server.key_secret"})
    assert str(caught.value).startswith(
        f"setting `remote.{setting}`: no tcp without a key: setting `remote.server_key`"
    )
    assert "`tickflag keys new-server` makes one" in str(caught.value)


def test_a_key_that_others_can_read_is_refused(harness: RemoteAccessHarness) -> None:
    """The error is as above: whoever has the key could pose as the engine."""
    harness.keyring.secret_file().chmod(0o644)
    with pytest.raises(TickflagError, match="others can read the secret key"):
        harness.open(commands=ANY)


def test_an_allowed_key_gets_in(harness: RemoteAccessHarness) -> None:
    """The client's requests are answered under its name; the status has the address and the names."""
    harness.keyring.allow("ann")
    harness.open(commands=ANY)
    assert harness.ask(harness.client("ann")) == Reply(id=1, result="yes")
    assert harness.asked == [("status", "ann")]
    assert harness.about["remote_commands"].startswith("tcp://127.0.0.1:")
    assert (harness.about["remote_signals"], harness.about["remote_keys"]) == ("", ["ann"])
    assert harness.warnings() == []


def test_a_stranger_does_not(harness: RemoteAccessHarness) -> None:
    """No request under a key that is not allowed arrives; it is counted, and the log names address and key."""
    remote = harness.open(commands=ANY)
    stranger = harness.client("eve")
    stranger.socket.send(encode(Request(id=1, what="flags.kill", arguments={"flag": "audit"})))
    harness.until(lambda: harness.is_refused(stranger))
    assert harness.asked == []
    remote.refresh()
    [(_, event, fields)] = [line for line in harness.log.lines if line[0] == "warning"]
    assert (event, fields["count"]) == ("strangers refused", 1)
    assert fields["last"] == f"127.0.0.1 with the key {harness.keyring.pair('eve').public.decode()}"
    remote.refresh()
    assert len(harness.warnings()) == 1
    assert harness.about["remote_refused"] == 1


def test_a_key_is_allowed_and_revoked_while_it_runs(harness: RemoteAccessHarness) -> None:
    """The change counts from the next heartbeat on. A revoked key is refused on its open connection as well as on
    another."""
    remote = harness.open(commands=ANY)
    harness.keyring.allow("ann")
    remote.refresh()
    client = harness.client("ann")
    assert harness.ask(client).result == "yes"
    harness.keyring.revoke("ann")
    remote.refresh()
    assert harness.ask(client).error == "this key is not allowed any more"
    again = harness.client("ann")
    harness.until(lambda: harness.is_refused(again))
    assert len(harness.asked) == 1


def test_followers_are_for_the_allowed_only(harness: RemoteAccessHarness) -> None:
    """A stranger hears nothing. When a key is revoked its follower ends; the others come back to the same port."""
    for name in ("ann", "bob"):
        harness.keyring.allow(name)
    remote = harness.open(signals=ANY)
    address = harness.about["remote_signals"]
    ann, bob, eve = (harness.client(name, REMOTE_SIGNALS_IN) for name in ("ann", "bob", "eve"))
    harness.until(lambda: harness.hears(ann))
    harness.until(lambda: harness.hears(bob))
    harness.until(lambda: harness.is_refused(eve))
    assert not eve.socket.poll(0)
    harness.keyring.revoke("ann")
    remote.refresh()
    assert harness.about["remote_signals"] == address
    harness.until(lambda: harness.is_refused(ann))
    while bob.socket.poll(50):
        bob.socket.recv()
    harness.until(lambda: harness.hears(bob))
    assert "no connections from other machines" not in harness.warnings()


def test_a_port_that_is_taken_is_told_once_and_tried_again(harness: RemoteAccessHarness) -> None:
    """Everything else goes on meanwhile."""
    harness.keyring.allow("ann")
    holder: zmq.Socket[bytes] = harness.context.socket(zmq.REP)
    holder.bind(ANY)
    address = str(holder.last_endpoint, "ascii")  # type: ignore[arg-type] # bytes, of this option
    remote = harness.open(commands=address, signals=ANY)
    for _ in range(3):
        remote.refresh()
    [(_, event, fields)] = [line for line in harness.log.lines if line[0] == "warning"]
    assert event == "no connections from other machines"
    assert (fields["setting"], fields["address"]) == ("remote.commands", address)
    assert "in use" in fields["reason"]
    assert harness.about["remote_commands"] == ""
    ann = harness.client("ann", REMOTE_SIGNALS_IN)
    harness.until(lambda: harness.hears(ann))
    holder.close(0)
    harness.until(lambda: harness.about["remote_commands"] == address, heartbeats=True)
    assert harness.ask(harness.client("ann")).result == "yes"


def test_trouble_with_the_keys_is_told_once(harness: RemoteAccessHarness) -> None:
    """Other trouble is told again."""
    (harness.keyring.allowed / "bad.key").write_text("?")
    remote = harness.open(commands=ANY)
    for _ in range(3):
        remote.refresh()
    assert harness.warnings() == ["keys of other machines"]
    harness.keyring.allowed.chmod(0o777)
    remote.refresh()
    assert len(harness.warnings()) == 2


def test_what_is_no_request_is_counted(harness: RemoteAccessHarness) -> None:
    """Requests of an allowed client are counted too."""
    harness.keyring.allow("ann")
    harness.open(commands=ANY)
    client = harness.client("ann")
    client.socket.send(b"?")
    assert harness.ask(client).result == "yes"
    assert harness.about["remote_dropped"] == 1


def test_a_flood_of_handshakes_is_taken_in_parts(harness: RemoteAccessHarness) -> None:
    """The socket for signals alone checks keys as well. A turn answers some handshakes and leaves the rest for the
    next."""
    remote = harness.open(signals=ANY)
    strangers = [harness.client("eve", REMOTE_SIGNALS_IN) for _ in range(40)]
    harness.until(lambda: all(harness.is_refused(stranger) for stranger in strangers))
    assert harness.about["remote_refused"] == 40
    harness.until(lambda: remote.step() == 0)


def test_connections_beyond_the_limit_are_hung_up(harness: RemoteAccessHarness) -> None:
    """Those that were there before stay, operators as well as strangers. When some leave there is room again. The log
    says it at once, and then once a minute with the count."""
    harness.keyring.allow("ann")
    remote = harness.open(commands=ANY, connections="8")
    ann = harness.client("ann")
    assert harness.ask(ann).result == "yes"
    port = int(harness.about["remote_commands"].rpartition(":")[2])
    before = len(os.listdir("/dev/fd"))
    with ExitStack() as strangers:
        knocking = [strangers.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(60)]
        harness.until(lambda: harness.about["remote_hung_up"] == 60 - 7)
        harness.until(lambda: len(os.listdir("/dev/fd")) <= before + 60 + 7)
        assert harness.ask(ann).result == "yes"

        def told() -> list[int]:
            remote.refresh()
            return [fields["count"] for _, event, fields in harness.log.lines if event == "connections hung up"]

        assert told() == [53]
        knocking += [strangers.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(5)]
        harness.until(lambda: harness.about["remote_hung_up"] == 53 + 5)
        assert told() == [53], "within a minute"
        remote._quiet_until_s = 0.0  # the minute is over
        assert told() == [53, 5]
        assert told() == [53, 5]
        assert len(knocking) == 65
    assert harness.ask(harness.client("ann")).result == "yes"


def test_a_shortage_of_descriptors_revokes_nobody(
    harness: RemoteAccessHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of keys cannot be read for a while: who was allowed stays so, and follows the signals on."""
    harness.keyring.allow("ann")
    remote = harness.open(signals=ANY)
    ann = harness.client("ann", REMOTE_SIGNALS_IN)
    harness.until(lambda: harness.hears(ann))

    def full(_path: object) -> list[str]:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as short:
        short.setattr(os, "listdir", full)
        remote.refresh()
    assert harness.about["remote_keys"] == ["ann"]
    assert harness.hears(ann)
    assert harness.warnings() == ["keys of other machines"]
    remote.refresh()
    assert harness.warnings() == ["keys of other machines"]
