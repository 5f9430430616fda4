"""Traders in the page: what is done to them, what it shows of those that fail."""

import os
import time
from typing import Any

from playwright.sync_api import Page

from tests.support.harnesses.browsed_engine import BrowsedEngine
from tests.support.harnesses.browser import Looker
from tests.support.processes.waiting import slowdown, wait_until

HEARTBEAT_MS = 1_000.0  # the setting `trader.heartbeat_ms`, as it is by default
ROW = """[...document.querySelectorAll("main tbody tr")]
    .find((one) => one.querySelector("th a").textContent === {name!r})"""
# Notes when the row turns red first.
WATCHED = """() => {{
    window.red = 0;
    const look = () => {{
        if ({row}?.querySelector(".state.bad")) window.red ||= Date.now();
    }};
    const all = {{ subtree: true, childList: true, attributes: true, characterData: true }};
    new MutationObserver(look).observe(document.getElementById("view"), all);
    look();
}}"""


def _press(page: Page, trader: str, action: str, sure: bool = False) -> None:
    """Press a button in the trader's row, and answer the question where there is one."""
    page.click(f"tr:has(th a:text-is('{trader}')) button:text-is('{action}')")
    if sure:
        page.click("dialog button.harm")


def _shows(looker: Looker, trader: str, state: str) -> None:
    looker.wait(f"{ROW.format(name=trader)}?.querySelector('.state').textContent === '{state}'")


def test_a_trader_is_restarted_stopped_disabled_and_brought_back(site: BrowsedEngine) -> None:
    """Each button does what it says, Stop and Disable after a question; the page shows the state that follows."""

    def trader() -> dict[str, Any]:
        return site.engine.trader("nothing")

    with site.operate() as looker:
        page = looker.open("/traders")
        pid = trader()["pid"]
        _press(page, "nothing", "Restart")
        wait_until(lambda: trader()["pid"] not in (0, pid), what="another worker runs it")
        _press(page, "nothing", "Stop")
        page.click("dialog button:has-text('Cancel')")
        looker.wait("!document.querySelector('dialog')")
        assert trader()["state"] == "running"
        for action, sure, state in (
            ("Stop", True, "stopped"),
            ("Start", False, "running"),
            ("Disable", True, "disabled"),
            ("Enable", False, "running"),
        ):
            _press(page, "nothing", action, sure)
            _shows(looker, "nothing", state)
            assert trader()["state"] == state


def test_a_killed_trader_turns_red_and_recovers(site: BrowsedEngine) -> None:
    """A worker that is killed is red within three heartbeats, also where the next one runs at once; then all is well.

    The stamps are those of the kill and of the page, so that a busy machine does not count twice.
    """
    before = site.engine.trader("nothing")
    with site.look() as looker:
        page = looker.open("/traders")
        _shows(looker, "nothing", "running")
        page.evaluate(WATCHED.format(row=ROW.format(name="nothing")))
        assert page.evaluate("window.red") == 0
        killed_ms = time.time() * 1_000
        os.kill(before["pid"], 9)
        red_ms = looker.wait("window.red")
        assert red_ms - killed_ms <= 3 * HEARTBEAT_MS * slowdown()
        _shows(looker, "nothing", "running")
        after = site.engine.wait(lambda: (now := site.engine.trader("nothing"))["pid"] != before["pid"] and now)
        assert looker.value("traders.nothing.restarts") == after["restarts"] == before["restarts"] + 1
        looker.open("/traders/nothing")
        assert "SIGKILL" in looker.text(".error")


def test_a_trader_that_fails_is_explained_and_released(site: BrowsedEngine) -> None:
    """Its view has the error with its stack, the circuit and the log; a release lets it run again.

    Who may only read sees the error's text alone.
    """
    site.engine.wait(lambda: "all is well" in site.engine.trader_log("moody"), what="it runs")
    site.mood.touch()
    site.engine.wait(lambda: site.engine.trader("moody")["state"] == "quarantined", what="it is quarantined")
    site.mood.unlink()  # the next worker is well
    with site.look() as looker:
        looker.open("/traders/moody")
        looker.wait("document.querySelector('.error')")
        assert "ValueError: out of luck" in looker.text(".error")
        assert looker.count("pre") == 0
        assert looker.value("trader.circuits.plugin.opened") >= 1
    with site.operate() as looker:
        page = looker.open("/traders/moody")
        looker.wait("document.querySelector('.error pre')")
        assert "moody.py" in looker.text(".error pre")
        assert "all is well" in looker.text("pre.log")
        assert looker.value("trader.errors.0.count") >= 5
        page.click("button:text-is('Release')")
        looker.wait("document.querySelector('.title .state.good')?.textContent === 'running'")
        page.wait_for_selector("button:text-is('Release')", state="detached")
    site.engine.wait(
        lambda: site.engine.trader("moody")["circuits"]["plugin"] == "closed", what="its circuit is closed"
    )
