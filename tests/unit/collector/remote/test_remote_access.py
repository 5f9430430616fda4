"""The collector's sockets for other machines: who gets in, who is put out, and addresses that are taken."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import zmq

from common.codec import decode_as, encode
from common.errors import TickflagError
from common.log import Logger
from common.messages import Reply, Request
from common.requests import Connection, Unreachable
from common.settings import load
from common.sockets import REMOTE_COMMANDS_CLIENT, REMOTE_SIGNALS_IN, Context, TcpRole
from services.collector.remote import Remote, open_remote
from tests.support.keyring import Keyring
from tests.support.recorded_log import RecordedLog

WITHIN_S = 20.0
ANY = "tcp://127.0.0.1:*"


class Site:
    """A Remote whose folder of keys the test fills, and clients."""

    def __init__(self, folder: Path) -> None:
        self.keyring = Keyring(folder)
        self.log = RecordedLog()
        self.asked: list[tuple[str, str]] = []
        self.context: Context = zmq.Context()
        self.remote: Remote | None = None
        self._clients: list[Connection] = []

    def open(self, **settings: str) -> Remote:
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
        """Turn until it holds."""
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
        """The client knows that its key is not allowed."""
        try:
            client.check()
        except Unreachable:
            return True
        return False

    def hears(self, follower: Connection) -> bool:
        """What is published arrives."""
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
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def test_without_an_address_there_is_nothing(tmp_path: Path) -> None:
    """No socket, and no key is looked for."""
    assert open_remote(load(), cast(Logger, RecordedLog()), lambda request, _key: Reply(id=request.id)) is None


@pytest.mark.parametrize("setting", ["commands", "signals"])
def test_without_a_key_nothing_is_opened(site: Site, setting: str) -> None:
    """The setting at fault is named, and what makes a key."""
    with pytest.raises(TickflagError) as caught:
        site.open(**{setting: ANY, "server_key": "/none/server.key_secret"})
    assert str(caught.value).startswith(
        f"setting `remote.{setting}`: no tcp without a key: setting `remote.server_key`"
    )
    assert "`tickflag keys new-server` makes one" in str(caught.value)


def test_a_key_that_others_can_read_is_refused(site: Site) -> None:
    """As above: whoever has it could pose as the engine."""
    site.keyring.secret_file().chmod(0o644)
    with pytest.raises(TickflagError, match="others can read the secret key"):
        site.open(commands=ANY)


def test_an_allowed_key_gets_in(site: Site) -> None:
    """Its requests are answered, and its name is known; the status tells the address and the names."""
    site.keyring.allow("ann")
    site.open(commands=ANY)
    assert site.ask(site.client("ann")) == Reply(id=1, result="yes")
    assert site.asked == [("status", "ann")]
    assert site.about["remote_commands"].startswith("tcp://127.0.0.1:")
    assert (site.about["remote_signals"], site.about["remote_keys"]) == ("", ["ann"])
    assert site.warnings() == []


def test_a_stranger_does_not(site: Site) -> None:
    """Not a request of a key that is not allowed arrives; it is counted, and the log names address and key."""
    remote = site.open(commands=ANY)
    stranger = site.client("eve")
    stranger.socket.send(encode(Request(id=1, what="flags.kill", arguments={"flag": "audit"})))
    site.until(lambda: site.is_refused(stranger))
    assert site.asked == []
    remote.refresh()
    [(_, event, fields)] = [line for line in site.log.lines if line[0] == "warning"]
    assert (event, fields["count"]) == ("strangers refused", 1)
    assert fields["last"] == f"127.0.0.1 with the key {site.keyring.pair('eve').public.decode()}"
    remote.refresh()
    assert len(site.warnings()) == 1
    assert site.about["remote_refused"] == 1


def test_a_key_is_allowed_and_revoked_while_it_runs(site: Site) -> None:
    """From the next heartbeat on; a revoked one is refused on its open connection as well as on another."""
    remote = site.open(commands=ANY)
    site.keyring.allow("ann")
    remote.refresh()
    client = site.client("ann")
    assert site.ask(client).result == "yes"
    site.keyring.revoke("ann")
    remote.refresh()
    assert site.ask(client).error == "this key is not allowed any more"
    again = site.client("ann")
    site.until(lambda: site.is_refused(again))
    assert len(site.asked) == 1


def test_followers_are_for_the_allowed_only(site: Site) -> None:
    """A stranger hears nothing. When a key is revoked its follower ends, and the others come back to the same port."""
    for name in ("ann", "bob"):
        site.keyring.allow(name)
    remote = site.open(signals=ANY)
    address = site.about["remote_signals"]
    ann, bob, eve = (site.client(name, REMOTE_SIGNALS_IN) for name in ("ann", "bob", "eve"))
    site.until(lambda: site.hears(ann))
    site.until(lambda: site.hears(bob))
    site.until(lambda: site.is_refused(eve))
    assert not eve.socket.poll(0)
    site.keyring.revoke("ann")
    remote.refresh()
    assert site.about["remote_signals"] == ""
    site.until(lambda: site.about["remote_signals"], heartbeats=True)
    assert site.about["remote_signals"] == address
    site.until(lambda: site.is_refused(ann))
    while bob.socket.poll(50):
        bob.socket.recv()
    site.until(lambda: site.hears(bob))
    assert "no connections from other machines" not in site.warnings()


def test_a_port_that_is_taken_is_told_once_and_tried_again(site: Site) -> None:
    """The rest goes on meanwhile."""
    site.keyring.allow("ann")
    holder: zmq.Socket[bytes] = site.context.socket(zmq.REP)
    holder.bind(ANY)
    address = str(holder.last_endpoint, "ascii")  # type: ignore[arg-type] # bytes, of this option
    remote = site.open(commands=address, signals=ANY)
    for _ in range(3):
        remote.refresh()
    [(_, event, fields)] = [line for line in site.log.lines if line[0] == "warning"]
    assert event == "no connections from other machines"
    assert (fields["setting"], fields["address"]) == ("remote.commands", address)
    assert "in use" in fields["reason"]
    assert site.about["remote_commands"] == ""
    ann = site.client("ann", REMOTE_SIGNALS_IN)
    site.until(lambda: site.hears(ann))
    holder.close(0)
    site.until(lambda: site.about["remote_commands"] == address, heartbeats=True)
    assert site.ask(site.client("ann")).result == "yes"


def test_trouble_with_the_keys_is_told_once(site: Site) -> None:
    """And again when it is another one."""
    (site.keyring.allowed / "bad.key").write_text("?")
    remote = site.open(commands=ANY)
    for _ in range(3):
        remote.refresh()
    assert site.warnings() == ["keys of other machines"]
    site.keyring.allowed.chmod(0o777)
    remote.refresh()
    assert len(site.warnings()) == 2


def test_what_is_no_request_is_counted(site: Site) -> None:
    """From an allowed client too."""
    site.keyring.allow("ann")
    site.open(commands=ANY)
    client = site.client("ann")
    client.socket.send(b"?")
    assert site.ask(client).result == "yes"
    assert site.about["remote_dropped"] == 1


def test_a_flood_of_handshakes_is_taken_in_parts(site: Site) -> None:
    """Signals alone have a gate, too; a turn answers some of the questions and leaves the rest for the next."""
    remote = site.open(signals=ANY)
    strangers = [site.client("eve", REMOTE_SIGNALS_IN) for _ in range(40)]
    site.until(lambda: all(site.is_refused(stranger) for stranger in strangers))
    assert site.about["remote_refused"] == 40
    assert remote.step() == 0
