"""An engine with its dashboard, and a browser that looks at it: shared by all tests of the page."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.support.harnesses.browser import DESK, Looker
from tests.support.harnesses.engine import Engine, write_trader
from tickflag.common.runtime import ServedAddress

SYMBOLS = 2_500
RECORDED = ("BTC/USDT:USDT", "币安人生USDT")
"""Symbols of a recording, whose names an address has to encode; the trader `swing` looks at such names only."""
_SETTINGS = {
    "TICKFLAG_SYNTHETIC__SYMBOLS": str(SYMBOLS),
    "TICKFLAG_SEGMENT__CAPACITY": "4096",
    "TICKFLAG_RECOVERY__ERRORS": "5",
    "TICKFLAG_RECOVERY__BACKOFF_S": "3600",  # whoever is quarantined stays so until a release
    "TICKFLAG_RECOVERY__BACKOFF_LIMIT_S": "3600",
    "TICKFLAG_RECOVERY__PROBE_S": "3600",
}
_ALL = """
@hookimpl
def evaluate(market):
    own = np.array([name.isascii() and name.isalnum() for name in market.symbols], bool)
    return (market.last > 0) & own, market.{score}
"""
_NOTHING = "@hookimpl\ndef evaluate(market):\n    return market.last < 0\n"
_SWING = """
@hookimpl
def evaluate_symbol(symbol):
    if symbol.name.isascii() and "/" not in symbol.name:
        return None
    return (symbol.last, f"above by {symbol.last - 100:.1f}") if symbol.last > 100 else None
"""
# Writes down when it first runs with the other value of its feature flag.
_BOLD = """
KNOWN = []

@hookimpl
def evaluate(market):
    on = market.on("bold")
    if KNOWN[-1:] != [on]:
        KNOWN.append(on)
        with open({seen!r}, "a") as file:
            file.write(f"{{int(on)}} {{time.time_ns() // 1_000_000}}\\n")
    return (market.last > 200) & on
"""
_MOODY = """
@hookimpl
def evaluate(market):
    if os.path.exists({mood!r}):
        raise ValueError("out of luck")
    print("all is well", flush=True)
    return market.last < 0
"""


class BrowsedEngine:
    """The engine, its dashboard, and the browser. Each looker is a browser of its own, without cookies.

    The traders `price` and `size` match every symbol but recorded ones, which stay as stale matches once the feed is
    another; `nothing` and `moody` match none; `swing` matches recorded symbols above 100, with a note; `bold` some,
    where its feature flag is on. `moody` fails while the file `mood` exists.
    """

    def __init__(self, engine: Engine, browser: Browser) -> None:
        self.engine, self.browser = engine, browser
        self.mood, self.seen = engine.folder / "mood", engine.folder / "seen"
        self.url = ""
        self._port = random.randint(20_000, 30_000)  # below those that the system gives to clients
        self._state: Any = None

    def start(self, **env: str) -> None:
        """Start the dashboard, and wait until it is served."""
        self.engine.start("dashboard", env={"TICKFLAG_DASHBOARD__PORT": str(self._port), **env})
        served = self.engine.wait(ServedAddress(self.engine.runtime, "dashboard").read, what="the dashboard")
        assert served is not None
        self.url = served
        self._port = int(served.rpartition(":")[2])

    def look(self, size: tuple[int, int] = DESK, **options: Any) -> Looker:
        """One who may only read."""
        return Looker(self.browser, self.url, size, **options)

    def operate(self, size: tuple[int, int] = DESK, **options: Any) -> Looker:
        """One who has the cookie that the link with the token gives."""
        if self._state is None:
            with self.look() as looker:
                looker.page.goto(self.link())
                self._state = looker.page.context.storage_state()
        return self.look(size, storage_state=self._state, **options)

    def link(self) -> str:
        """The link with the token."""
        return self.engine.cli("dashboard").stdout.split("link", 1)[1].strip()

    def restart_feed(self, **env: str) -> None:
        """Stop the feed, and start it with other settings; wait until the traders have its market."""
        self.engine.stop("feed")
        self.engine.start("feed", env=env)
        self.engine.wait_ready(but=("moody",))

    def symbol(self) -> str:
        """A symbol that matches."""
        return min(self.engine.matches("price"))

    def noticed(self) -> list[tuple[bool, int]]:
        """The values of its feature flag that `bold` ran with, each with the UTC time in ms."""
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        return [(line[0] == "1", int(line[2:])) for line in lines if len(line) > 2]


@contextmanager
def browsed_engine(folder: Path, browser: Browser) -> Iterator[BrowsedEngine]:
    """Start engine and dashboard; all is ready once every symbol matches."""
    plugins = folder / "plugins"
    write_trader(plugins, "price", _ALL.format(score="last"))
    write_trader(plugins, "size", _ALL.format(score="volume"))
    write_trader(plugins, "nothing", _NOTHING)
    write_trader(plugins, "swing", _SWING)
    write_trader(plugins, "bold", _BOLD.format(seen=os.fspath(folder / "seen")), flags={"bold": False})
    write_trader(plugins, "moody", _MOODY.format(mood=os.fspath(folder / "mood")))
    with Engine(folder, _SETTINGS, plugins) as engine:
        engine.start()
        engine.wait_ready()
        engine.wait(lambda: len(engine.matches("size")) == SYMBOLS, what="every symbol matches")
        browsed = BrowsedEngine(engine, browser)
        browsed.start()
        yield browsed
