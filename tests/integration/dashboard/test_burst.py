"""A market that changes at once, in a real browser, from a hub of the test's own: what is drawn follows the window."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.support.harnesses.browser import Looker
from tests.support.harnesses.dashboard import HubStandIn, served
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.topics.matches import NUMBER_COLUMNS
from tickflag.services.dashboard.hub.viewer import Viewer

TOTAL = 5_000
LEAST_WINDOW, MOST_WINDOW = 20, 80
ROWS = "[role=row][aria-rowindex]"
WATCH = """
() => {
  window.drawn = { rows: 0, most: 0, batches: 0 };
  const body = document.querySelector(".rows-body");
  new MutationObserver((changes) => {
    window.drawn.batches += 1;
    const rows = changes.filter(({ target }) => target === body);
    window.drawn.rows += rows.reduce((sum, { addedNodes }) => sum + addedNodes.length, 0);
    window.drawn.most = Math.max(window.drawn.most, body.children.length);
  }).observe(body, { childList: true, subtree: true, characterData: true });
}
"""


class BusyMarket(HubStandIn):
    """Every symbol matches; a burst gives each of them another score."""

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[int] = []
        self.bursts = 0
        self._lock = threading.Lock()

    def subscribe(self, viewer: Viewer, identity: int, topic: str, arguments: Mapping[str, Any]) -> None:
        with self._lock:
            super().subscribe(viewer, identity, topic, arguments)
        self._answer(viewer, identity, topic, arguments)

    def burst(self) -> None:
        self.bursts += 1
        with self._lock:
            looking = list(self.subscribed.items())
        for (viewer, identity), (topic, arguments) in looking:
            self._answer(viewer, identity, topic, arguments)

    def _answer(self, viewer: Viewer, identity: int, topic: str, arguments: Mapping[str, Any]) -> None:
        if topic == "overview":
            viewer.put(identity, Answer({"time_ms": 1.0, "feed": {"state": "running"}, "traders": []}))
        elif topic == "matches":
            self.windows.append(arguments["count"])
            first = max(0, min(arguments["first"], TOTAL - arguments["count"]))
            places = np.arange(first, min(TOTAL, first + arguments["count"]))
            moved = self.bursts + places / 10_000
            viewer.put(
                identity,
                Answer(
                    {"total": TOTAL, "first": first, "matching": TOTAL, "traders": ["every"]},
                    len(places),
                    dict.fromkeys((*NUMBER_COLUMNS, "mark"), np.zeros(len(places))) | {"score": moved},
                    {
                        "trader": ["every"] * len(places),
                        "symbol": [f"S{n:04}" for n in places],
                        "note": [""] * len(places),
                    },
                ),
            )


@pytest.fixture
def hub() -> BusyMarket:
    return BusyMarket()


@pytest.fixture
def looker(hub: BusyMarket, browser: Browser) -> Iterator[Looker]:
    with served(hub) as site, Looker(browser, site.url) as looker:
        yield looker


def test_a_burst_draws_the_rows_in_sight_and_no_others(hub: BusyMarket, looker: Looker) -> None:
    """However often all 5,000 matches change, the page asks for its window, adds no row, and shows the last values.
    What arrives within a frame of the screen is drawn once."""
    page = looker.open("/matches?sort=symbol")
    looker.wait(f"document.querySelectorAll('{ROWS} a').length > {LEAST_WINDOW}")
    page.evaluate(WATCH)
    for _ in range(200):
        hub.burst()
    looker.wait(f"document.querySelector('{ROWS}[aria-rowindex=\"1\"]').innerText.includes('{hub.bursts}.0')")
    drawn = page.evaluate("window.drawn")
    assert drawn["rows"] == 0
    assert 0 < drawn["most"] <= MOST_WINDOW
    assert drawn["batches"] <= hub.bursts
    assert LEAST_WINDOW < max(hub.windows) <= MOST_WINDOW


def test_scrolling_reuses_rows(hub: BusyMarket, looker: Looker) -> None:
    """Through all 5,000 matches and back, the document never holds more rows than a window, and no window is larger."""
    page = looker.open("/matches?sort=symbol")
    looker.wait(f"document.querySelectorAll('{ROWS} a').length > {LEAST_WINDOW}")
    page.evaluate(WATCH)
    for part in (0.25, 0.5, 0.75, 1.0, 0.5, 0.0):
        page.evaluate("(top) => document.querySelector('.rows').scrollTo(0, top)", part * TOTAL * 30)
        looker.wait(f"[...document.querySelectorAll('{ROWS}')].every((row) => row.className !== 'row empty')")
        hub.burst()
    assert page.evaluate("window.drawn.most") <= MOST_WINDOW
    assert max(hub.windows) <= MOST_WINDOW
