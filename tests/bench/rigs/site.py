"""Site: the real engine on the synthetic market, with its dashboard; and those who look at it."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.bench.rigs.market import SHIPPED, TRADERS, runtime_folder
from tests.bench.rigs.processes import RunProcesses
from tickflag.common.runtime import Runtime, ServedAddress
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.wire.requests import Client, Unreachable

SERVICES = ("feed", "collector", "trader")
ROWS = 48
"""As many rows as a window of 1280 x 800 asks for."""
Subscribed = tuple[str, Mapping[str, Any]]


def view(name: str, symbol: str) -> list[Subscribed]:
    """The topics that the page subscribes in a view: `overview`, `matches` or `symbol`."""
    of_view: dict[str, list[Subscribed]] = {
        "overview": [("history", {"span": "minutes"})],
        "matches": [("matches", {"text": "", "sort": [["score", "desc"]], "ranges": {}, "first": 0, "count": ROWS})],
        "symbol": [
            ("symbol", {"symbol": symbol}),
            ("candles", {"symbol": symbol, "interval": "5m", "count": 500}),
        ],
    }
    return [("overview", {}), *of_view[name]]


class Site:
    """The running processes. Made by `running_site`."""

    def __init__(self, runtime: Runtime, processes: RunProcesses, url: str, token: str) -> None:
        self.runtime, self.processes, self.url, self._token = runtime, processes, url, token

    def connected(self) -> ClientConnection:
        """A WebSocket of one who has the token, after the greeting."""
        headers = {"authorization": f"Bearer {self._token}"}
        address = f"ws{self.url.removeprefix('http')}/ws"
        connection = connect(address, additional_headers=headers, proxy=None, max_size=None, compression=None)
        connection.recv(30)
        return connection

    def monitor(self, on: bool) -> None:
        """Switch monitoring, as the debug view does."""
        with self.connected() as connection:
            connection.send(json.dumps({"op": "do", "id": 0, "what": "monitoring", "arguments": {"on": on}}))
            while json.loads(connection.recv(30)).get("op") != "done":
                pass

    def counts(self) -> dict[str, int]:
        """Trader -> its matches; empty while nobody answers."""
        try:
            with Client(self.runtime, "collector") as collector:
                return {str(trader["name"]): int(trader["matches"]) for trader in collector.ask("traders")}
        except Unreachable:
            return {}

    def symbol(self) -> str:
        """A symbol of the market."""
        with Segment.attach_current(self.runtime) as segment:
            directory = SymbolDirectory(segment)
            directory.refresh()
            return directory.names[0]

    def burst(self, symbols: int) -> None:
        """Let so many symbols tick at once."""
        with Client(self.runtime, "feed") as feed:
            feed.ask("burst", symbols=symbols)

    def cpu_ms(self, seconds: float) -> dict[str, float]:
        """CPU in ms a second by service over so many seconds from now on."""
        before, began_ns = self.processes.cpu_ns(), time.monotonic_ns()
        time.sleep(seconds)
        after, took_s = self.processes.cpu_ns(), (time.monotonic_ns() - began_ns) / 1e9
        return {name: (after[name] - before[name]) / 1e6 / took_s for name in after}


class CountingViewer:
    """Looks at some topics as a page does, in a thread of its own, and counts what it gets. Use it in a `with`
    block."""

    def __init__(self, site: Site, topics: Sequence[Subscribed]) -> None:
        self._connection = site.connected()
        self.frames = self.bytes = 0
        self.heard: set[int] = set()
        self._topics = topics
        self._thread = threading.Thread(target=self._read)

    def wait_all(self, limit_s: float = 30.0) -> None:
        """Wait until every topic has sent something."""
        deadline = time.monotonic() + limit_s
        while len(self.heard) < len(self._topics):
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {len(self.heard)} of {len(self._topics)} topics answered")
            time.sleep(0.01)

    def _read(self) -> None:
        try:
            for frame in self._connection:
                self.frames += 1
                self.bytes += len(frame) if isinstance(frame, bytes) else len(frame.encode())
                if len(self.heard) < len(self._topics):
                    self.heard.add(_identity(frame))
        except ConnectionClosed:
            pass

    def __enter__(self) -> Self:
        self._thread.start()
        for identity, (topic, arguments) in enumerate(self._topics):
            message = {"op": "subscribe", "id": identity, "topic": topic, "arguments": arguments}
            self._connection.send(json.dumps(message))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._connection.close()
        self._thread.join()


def _identity(frame: str | bytes) -> int:
    """The subscription that a frame belongs to."""
    text = frame if isinstance(frame, str) else frame[4 : 4 + int.from_bytes(frame[:4], "little")]
    return int(json.loads(text)["id"])


@contextmanager
def running_site(
    symbols: int, rate: float, every: Sequence[str], moving: bool = False, shipped: bool = True
) -> Iterator[Site]:
    """Start everything, with a trader of each name in `every` that matches all symbols, and wait until they do.

    `moving`: their scores move with the prices. `shipped`: the shipped traders run, too. Raises RunFailed.
    """
    with runtime_folder() as runtime:
        folder = runtime.folder.parent
        plugins, configs = folder / "plugins", folder / "configs"
        plugins.mkdir()
        configs.mkdir()
        for path in [TRADERS / "every.py", *(sorted(SHIPPED.glob("*.py")) if shipped else ())]:
            shutil.copy(path, plugins / path.name)
        tables = [
            f'[{name}]\nsource = "every"\n\n[{name}.settings]\nmoving = {str(moving).lower()}\n' for name in every
        ]
        (configs / "traders.toml").write_text("\n".join(tables))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {
            "TICKFLAG_CONFIG": str(configs),
            "TICKFLAG_RUNTIME__ROOT": str(folder),
            "TICKFLAG_INSTANCE": runtime.folder.name,
            "TICKFLAG_SEGMENT__CAPACITY": str(symbols),
            "TICKFLAG_SYNTHETIC__SYMBOLS": str(symbols),
            "TICKFLAG_SYNTHETIC__RATE": str(rate),
            "TICKFLAG_SYNTHETIC__BUSY_FACTOR": "1",  # an even load, so that any part of a run compares with any other
            "TICKFLAG_TRADER__PLUGINS": str(plugins),
            "TICKFLAG_COLLECTOR__METRICS_PORT": "0",
            "TICKFLAG_DASHBOARD__PORT": str(port),
            "TICKFLAG_DASHBOARD__TOKEN_FILE": str(folder / "token"),
        }
        with RunProcesses(folder, environment) as processes:
            for service in SERVICES:
                processes.start(service, f"tickflag.services.{service}")
            address = ServedAddress(runtime, "dashboard")
            processes.start("dashboard", "tickflag.services.dashboard")
            processes.wait_until(lambda: bool(address.read()), 60, "dashboard")
            site = Site(runtime, processes, address.read() or "", (folder / "token").read_text().strip())
            processes.wait_until(
                lambda: all(site.counts().get(name) == symbols for name in every), 180, "match of every symbol"
            )
            yield site
