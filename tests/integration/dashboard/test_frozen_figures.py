"""At a frozen cycle every figure of every view is the counter that it stands for."""

import math
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.harnesses.browsed_engine import BrowsedEngine
from tests.support.harnesses.browser import Looker
from tests.support.oracles.dashboard_figures import PageCounters, Reading, ring_length
from tests.support.processes.waiting import wait_until
from tickflag.common.segment.layout import DEBUG_RING

SHOWN = """() => [...document.querySelectorAll("[data-figure]")]
    .map((element) => [element.dataset.figure, element.dataset.value ?? "", element.textContent])"""
VIEWS = (
    "/", "/matches", "/traders", "/traders/price", "/traders/moody", "/signals", "/notices", "/flags",
    "/flags/batch_mode", "/debug",
)  # fmt: skip


@pytest.fixture(scope="module")
def frozen(site: BrowsedEngine) -> Iterator[Reading]:
    """The feed holds still between two turns; all it announced was evaluated, reported and journalled."""
    site.engine.request("collector", "flags.set", flag="batch_mode", value=50, who="test")

    def measured() -> bool:
        (experiment,) = site.engine.request("collector", "experiments", flag="batch_mode")["experiments"]
        return all(arm["cycles"] for arm in experiment["arms"])

    site.engine.wait(measured, what="both arms are measured")
    site.engine.request("feed", "debug", on=True)
    site.engine.wait(lambda: ring_length(site.engine) == DEBUG_RING, what="the ring is full")
    site.engine.send("feed", signal.SIGSTOP)
    last: list[Any] = [None]

    def still() -> Any:
        before, last[0] = last[0], Reading(site.engine)
        return last[0] if before is not None and last[0].standing == before.standing else None

    try:
        yield wait_until(still, what="everything stands still", look_s=2.1)  # longer than a heartbeat and its way here
    finally:
        site.engine.send("feed", signal.SIGCONT)
        site.engine.request("feed", "debug", on=False)
        site.engine.request("collector", "flags.remove", flag="batch_mode", who="test")


def _equal(value: str, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return value != "" and expected[0] <= float(value) <= expected[1]
    if isinstance(expected, bool):
        return value == str(expected).lower()
    if isinstance(expected, int | float) and not math.isnan(expected):
        return value != "" and math.isclose(float(value), expected, rel_tol=1e-9)
    return value == ("" if expected is None or isinstance(expected, float) else str(expected))


def _wrong(looker: Looker, counters: PageCounters) -> list[str]:
    """The figures on the page that are not what they stand for."""
    wrong = []
    for figure, value, text in looker.page.evaluate(SHOWN):
        try:
            expected = counters.of(figure)
        except KeyError:
            wrong.append(f"{figure} = {value!r}: nothing is known of it")
            continue
        if not any(_equal(value, one) for one in (expected if isinstance(expected, list) else [expected])):
            wrong.append(f"{figure} = {value!r}, shown as {text!r}, not {expected!r}")
    return wrong


@pytest.mark.parametrize("view", [*VIEWS, "/symbol"])
def test_every_figure_is_its_counter(site: BrowsedEngine, frozen: Reading, view: str) -> None:
    """What segment and services tell is what the page shows, figure by figure. Every view has some, and none is left
    out."""
    address = f"/symbol/{site.symbol()}?interval=1m" if view == "/symbol" else view
    name = address.partition("?")[0].split("/")[-1]
    with site.operate() as looker:
        looker.open(address, "feed stale")
        looker.wait("document.querySelectorAll('main [data-figure]').length")
        wrong: list[str] = []

        def right() -> bool:
            wrong[:] = _wrong(looker, PageCounters(frozen, name))
            return not wrong

        wait_until(right, 8.0, f"the figures of {view}", lambda: "\n".join(wrong[:20]), look_s=0.5)
