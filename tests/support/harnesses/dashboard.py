"""The dashboard from outside: its web part over a hub of the test's own, or the whole service beside an engine."""

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.support.harnesses.engine import Engine
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.lifecycle import Stop
from tickflag.common.runtime import ServedAddress
from tickflag.common.settings_schema.dashboard import DashboardBlock
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.viewer import Viewer
from tickflag.services.dashboard.web.address import open_place
from tickflag.services.dashboard.web.admission import Admission
from tickflag.services.dashboard.web.application import application
from tickflag.services.dashboard.web.server import serve

TOKEN = "token-of-the-tests-0123456789"
_PORTS = (20_000, 30_000)
"""Below those that the system gives to clients."""


class HubStandIn:
    """A hub whose answers the test gives. `once` answers with `answers[topic]`, an Answer or an exception."""

    def __init__(self) -> None:
        self.monitoring = True
        self.answers: dict[str, Answer | Exception] = {}
        self.asked: list[tuple[str, Mapping[str, Any], bool]] = []
        self.subscribed: dict[tuple[Viewer, int], tuple[str, Mapping[str, Any]]] = {}
        self.dropped: list[Viewer] = []
        self.done: list[tuple[str, Mapping[str, Any], str]] = []
        self.found: list[dict[str, Any]] = []
        self.pages: list[dict[str, Any] | Exception] = []
        self.results: dict[str, Any] = {}

    def subscribe(self, viewer: Viewer, identity: int, topic: str, arguments: Mapping[str, Any]) -> None:
        self.subscribed[viewer, identity] = (topic, arguments)

    def unsubscribe(self, viewer: Viewer, identity: int) -> None:
        self.subscribed.pop((viewer, identity), None)

    def drop(self, viewer: Viewer) -> None:
        self.dropped.append(viewer)
        for key in [key for key in self.subscribed if key[0] is viewer]:
            self.subscribed.pop(key, None)

    def once(self, topic: str, arguments: Mapping[str, Any], trusted: bool) -> "Future[Answer]":
        self.asked.append((topic, arguments, trusted))
        return _future(self.answers[topic])

    def find_signals(self, arguments: Mapping[str, Any]) -> "Future[Any]":
        """Answers with the next one of `pages`, a page or an exception."""
        self.found.append(dict(arguments))
        return _future(self.pages.pop(0))

    def do(self, what: str, arguments: Mapping[str, Any], who: str) -> "Future[Any]":
        self.done.append((what, arguments, who))
        result = self.results[what]
        return result if isinstance(result, Future) else _future(result)

    def publish(self, answer: Answer) -> None:
        """Give the answer to every subscription."""
        for viewer, identity in list(self.subscribed):
            viewer.put(identity, answer)


class Site:
    """A dashboard that is served: requests to it, as programs and browsers send them."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.host = url.partition("://")[2]

    def get(self, path: str, token: bool = False, **options: Any) -> httpx.Response:
        return self.request("GET", path, token, **options)

    def request(self, method: str, path: str, token: bool = False, **options: Any) -> httpx.Response:
        headers = {**({"authorization": f"Bearer {self.token}"} if token else {}), **options.pop("headers", {})}
        return httpx.request(method, f"{self.url}{path}", headers=headers, trust_env=False, timeout=60, **options)

    def viewer(self, token: bool = False, headers: Mapping[str, str] | None = None, **options: Any) -> ClientConnection:
        """A WebSocket; use it in a `with` block."""
        sent = {**({"authorization": f"Bearer {self.token}"} if token else {}), **(headers or {})}
        url = f"ws{self.url.removeprefix('http')}/ws"
        viewer: ClientConnection = connect(url, additional_headers=sent, proxy=None, open_timeout=60, **options)
        return viewer


@contextmanager
def served(hub: HubStandIn, **block: Any) -> Iterator[Site]:
    """The web part in a thread of its own, over the hub. Enter it in the main thread."""
    log: Any = RecordedLog()
    settings = DashboardBlock(port=random.randint(*_PORTS), **block)
    place = open_place(settings, log)
    assert place is not None
    admission = Admission(
        TOKEN, "tickflag_test", settings.open_reading, place.loopback, (*place.names, *settings.hosts)
    )

    def make(hang_up: Callable[[Any], None]) -> Any:
        typed: Any = hub
        return application(typed, admission, "test", place.tls is not None, hang_up)

    with Stop() as stop:
        thread = threading.Thread(target=serve, args=(make, place, log, stop))
        thread.start()
        try:
            yield Site(place.url, TOKEN)
        finally:
            stop.request("the test is over")
            thread.join()
    assert [line for line in log.lines if line[1] == "web"] == []


def start_dashboard(engine: Engine, **env: str) -> Site:
    """Start the service `dashboard` of the engine, and wait until it is served."""
    port = {"TICKFLAG_DASHBOARD__PORT": str(random.randint(*_PORTS))}
    engine.start("dashboard", env={**port, **env})
    url = engine.wait(ServedAddress(engine.runtime, "dashboard").read, what="the dashboard tells its address")
    assert url is not None
    return Site(url, (engine.runtime.folder / "dashboard.token").read_text().strip())


def _future(result: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future
