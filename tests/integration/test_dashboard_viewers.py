"""Viewers over real WebSockets, with a hub of the test's own: subscriptions, commands, slow and dead viewers."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.support.harnesses.dashboard import HubStandIn, Site, served
from tests.support.harnesses.silent_viewer import rest, silent_viewer
from tests.support.processes.waiting import allowed_s, wait_until
from tickflag.common.errors import TickflagError
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.web import connections, slots
from tickflag.services.dashboard.web import socket as endpoint
from tickflag.services.dashboard.web.slots import Slots


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn()


@pytest.fixture
def site(hub: HubStandIn) -> Iterator[Site]:
    with served(hub) as site:
        yield site


def send(viewer: ClientConnection, op: str, **fields: Any) -> None:
    viewer.send(json.dumps({"op": op, **fields}))


def receive(viewer: ClientConnection) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(viewer.recv(allowed_s(60)))
    return document


def subscribe(viewer: ClientConnection, hub: HubStandIn, identity: int, topic: str = "overview") -> None:
    """Subscribe, and wait until the hub knows."""
    send(viewer, "subscribe", id=identity, topic=topic)
    wait_until(lambda: any(key[1] == identity for key in hub.subscribed))


def test_a_viewer_from_beginning_to_end(site: Site, hub: HubStandIn) -> None:
    """Greeting, subscription with arguments, answers, replacement, end; at the end the hub forgets the viewer."""
    with site.viewer() as viewer:
        hello = receive(viewer)
        assert {**hello, "version": ""} == {
            "op": "hello", "version": "", "instance": "test", "writable": False, "readable": True, "monitoring": True,
        }  # fmt: skip
        send(viewer, "subscribe", id=1, topic="matches", arguments={"count": 5})
        wait_until(lambda: hub.subscribed)
        assert list(hub.subscribed.values()) == [("matches", {"count": 5})]
        hub.publish(Answer({"total": 0}, 1, {"score": np.array([2.5])}, {"symbol": ["a"]}))
        frame = viewer.recv(60)
        assert isinstance(frame, bytes)
        assert np.frombuffer(frame[-8:], "<f8")[0] == 2.5
        hub.publish(Answer({"total": 1}))
        assert receive(viewer) == {"op": "data", "id": 1, "data": {"total": 1}}
        send(viewer, "subscribe", id=1, topic="signals")
        wait_until(lambda: list(hub.subscribed.values()) == [("signals", {})])
        send(viewer, "unsubscribe", id=1)
        wait_until(lambda: not hub.subscribed)
        assert hub.dropped == []
    wait_until(lambda: hub.dropped)


@pytest.mark.parametrize(
    ("message", "identity", "words"),
    [
        ("{", -1, "the message is no JSON"),
        ("[1]", -1, "the message is no JSON object"),
        ("[" * 30_000, -1, "the message is no JSON"),
        (b"\x00", -1, "a message is text, in JSON"),
        ('{"op": "subscribe"}', -1, "`id` must be a whole number"),
        ('{"op": "subscribe", "id": true, "topic": "x"}', -1, "`id` must be a whole number"),
        ('{"op": "subscribe", "id": -1, "topic": "x"}', -1, "`id` must be a whole number"),
        ('{"op": "subscribe", "id": 1}', 1, "`topic` must be a text"),
        ('{"op": "subscribe", "id": 1, "topic": "x", "arguments": []}', 1, "`arguments` must be an object"),
        ('{"op": "nonsense", "id": 1}', 1, "`op` must be subscribe, unsubscribe or do, not 'nonsense'"),
        ('{"op": "do", "id": 4, "what": "feed.swap"}', 4, "this needs the token"),
    ],
)
def test_mistakes_are_told(site: Site, hub: HubStandIn, message: str | bytes, identity: int, words: str) -> None:
    """In plain words, to the viewer alone; it may go on."""
    with site.viewer() as viewer:
        receive(viewer)
        viewer.send(message)
        answer = receive(viewer)
        assert (answer["op"], answer["id"]) == ("error", identity)
        assert answer["error"].startswith(words)
        subscribe(viewer, hub, 2)
        assert hub.done == []


def test_a_message_that_is_too_long_ends_the_viewer(site: Site) -> None:
    """Nobody makes the server hold much."""
    with site.viewer() as viewer:
        receive(viewer)
        viewer.send("x" * (endpoint.MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            viewer.recv(60)


def test_commands(site: Site, hub: HubStandIn) -> None:
    """With the token they reach the hub; the result or the refusal comes back under the command's id."""
    hub.results = {"feed.swap": {"cycle": 7}, "trader.stop": TickflagError("no trader 'x'"), "monitoring": False}
    with site.viewer(token=True) as viewer, site.viewer() as other:
        assert receive(viewer)["writable"]
        receive(other)
        send(viewer, "do", id=1, what="feed.swap", arguments={"n": 1})
        assert receive(viewer) == {"op": "done", "id": 1, "result": {"cycle": 7}}
        send(viewer, "do", id=2, what="trader.stop")
        assert receive(viewer) == {"op": "error", "id": 2, "error": "no trader 'x'"}
        assert hub.done == [("feed.swap", {"n": 1}, "dashboard"), ("trader.stop", {}, "dashboard")]
        hub.monitoring = False
        send(viewer, "do", id=3, what="monitoring", arguments={"on": False})
        assert receive(viewer)["op"] == "done"
        assert [receive(one)["monitoring"] for one in (viewer, other)] == [False, False]


def test_many_at_once_are_refused(site: Site, hub: HubStandIn) -> None:
    """Of subscriptions and commands of one viewer; what ends makes room."""
    pending: Future[Any] = Future()
    hub.results = {"slow": pending}
    with site.viewer(token=True) as viewer:
        receive(viewer)
        for identity in range(endpoint.SUBSCRIPTIONS + 1):
            send(viewer, "subscribe", id=identity, topic="overview")
        assert receive(viewer)["error"] == "at most 64 subscriptions"
        send(viewer, "unsubscribe", id=0)
        subscribe(viewer, hub, 1_000)
        for identity in range(endpoint.COMMANDS + 1):
            send(viewer, "do", id=identity, what="slow")
        assert receive(viewer)["error"] == "at most 8 commands at the same time"
        pending.set_result(None)
        answers = {receive(viewer)["id"] for _ in range(endpoint.COMMANDS)}
        assert answers == set(range(endpoint.COMMANDS))


def test_too_many_viewers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is turned away, and those that look go on."""
    monkeypatch.setattr(endpoint, "VIEWERS", 1)
    with site.viewer() as viewer:
        receive(viewer)
        with pytest.raises(Exception, match="403"), site.viewer():
            pass
        viewer.ping().wait(60)


def test_a_viewer_that_stops_reading_costs_no_memory_and_delays_nobody(
    site: Site, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is published, one answer waits for it, and what the connection holds is bounded; others get every
    answer; after some seconds without progress it is hung up, and the hub forgets it."""
    monkeypatch.setattr(endpoint, "SEND_S", 2.0)
    kept: list[Slots] = []
    make = Slots.__init__

    def noted(self: Slots, trusted: bool) -> None:
        make(self, trusted)
        kept.append(self)

    monkeypatch.setattr(slots.Slots, "__init__", noted)
    with site.viewer(max_size=None, max_queue=None) as reader:
        receive(reader)
        subscribe(reader, hub, 1)
        with silent_viewer(site, "overview") as dead:
            wait_until(lambda: len(hub.subscribed) == 2)
            _, stuck = kept
            big = "x" * 1_000_000
            for at in range(100):  # far more than any buffer of the system takes
                hub.publish(Answer({"at": at, "big": big}))
                assert receive(reader)["data"]["at"] == at
                assert stuck.waiting <= 2
            wait_until(lambda: hub.dropped == [stuck], what="the viewer is dropped")
            assert stuck.waiting == 0
            assert rest(dead) < 100 * len(big)
        hub.publish(Answer({"at": "end"}))
        assert receive(reader)["data"] == {"at": "end"}


def test_a_program_that_does_not_take_its_answer(site: Site, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is ended, too, and what it did not take is freed."""
    monkeypatch.setattr(connections, "STUCK_S", 0.5)
    monkeypatch.setattr(connections, "_LOOK_S", 0.1)
    open_: list[int] = []
    look = connections.OpenConnections.look

    def noted(self: connections.OpenConnections, now_s: float) -> None:
        look(self, now_s)
        open_.append(len(self._seen))

    monkeypatch.setattr(connections.OpenConnections, "look", noted)
    hub.answers["overview"] = Answer({"big": "x" * 50_000_000})
    host, _, port = site.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=allowed_s(60)) as program:
        program.sendall(f"GET /api/status HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode())
        wait_until(lambda: 1 in open_ and open_[-1] == 0, what="the connection is ended")
        assert 0 < rest(program) < 50_000_000
