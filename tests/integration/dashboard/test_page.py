"""The dashboard's page in a real browser, on a running engine."""

import csv
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.harnesses.browser import CHROMIUM, DESK, PHONE, Looker, chromium
from tests.support.harnesses.engine import Engine, write_trader
from tests.support.processes.waiting import wait_until
from tickflag.common.runtime import ServedAddress

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing")

SYMBOLS = 2_500
ROWS = "[role=row][aria-rowindex]"
VIEWS = ["/", "/matches", "/traders", "/traders/price", "/signals", "/notices", "/flags", "/flags/audit", "/debug"]


class Site:
    """The engine, its dashboard, and the browser that the tests share."""

    def __init__(self, engine: Engine, browser: Browser, port: int) -> None:
        self.engine, self.browser, self.port = engine, browser, port
        self.url = ""

    def start(self) -> None:
        """Start the dashboard, and wait until it is served."""
        self.engine.start("dashboard", env={"TICKFLAG_DASHBOARD__PORT": str(self.port)})
        self.url = self.engine.wait(ServedAddress(self.engine.runtime, "dashboard").read, what="the dashboard") or ""

    def look(self, size: tuple[int, int] = DESK, **options: Any) -> Looker:
        return Looker(self.browser, self.url, size, **options)

    def operate(self) -> Looker:
        """One who came by the link with the token."""
        looker = self.look()
        looker.page.goto(self.engine.cli("dashboard").stdout.split("link", 1)[1].strip())
        return looker


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An engine whose two traders match every symbol, and a trader without any match."""
    folder = tmp_path_factory.mktemp("engine")
    plugins = folder / "plugins"
    write_trader(plugins, "price", "@hookimpl\ndef evaluate(market):\n    return market.last > 0, market.last\n")
    write_trader(plugins, "size", "@hookimpl\ndef evaluate(market):\n    return market.last > 0, market.volume\n")
    write_trader(plugins, "nothing", "@hookimpl\ndef evaluate(market):\n    return market.last < 0\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"TICKFLAG_SYNTHETIC__SYMBOLS": str(SYMBOLS), "TICKFLAG_SEGMENT__CAPACITY": "4096"}
    with Engine(folder, env, plugins) as engine, chromium() as browser:
        engine.start()
        engine.wait_ready()
        engine.wait(lambda: len(engine.matches("size")) == SYMBOLS, what="every symbol matches")
        site = Site(engine, browser, port)
        site.start()
        yield site


def _a_symbol(site: Site) -> str:
    return min(site.engine.matches("price"))


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_has_live_data_and_fits(site: Site, size: tuple[int, int], scheme: str) -> None:
    """Each view shows figures of the engine, writes no error, asks no other machine, and fits its window."""
    with site.operate() as operator:
        state = operator.page.context.storage_state()
    with site.look(size, color_scheme=scheme, storage_state=state) as looker:
        for view in [*VIEWS, f"/symbol/{_a_symbol(site)}"]:
            looker.open(view)
            looker.wait("document.querySelectorAll('main [data-figure]:not([data-value=\"\"])').length")
            assert looker.fits(), view


def test_figures_are_those_of_the_engine(site: Site) -> None:
    """The page says what the commands say."""
    with site.look() as looker:
        looker.open("/")
        feed = site.engine.request("feed", "status")
        assert looker.value("overview.feed.symbols") == feed["symbols"]
        assert looker.value("overview.traders.price.matches") == SYMBOLS
        looker.open("/matches")
        assert looker.value("matches.matching") == 2 * SYMBOLS


def test_candles_are_drawn(site: Site) -> None:
    """The view of a symbol draws candles and names the one that forms; another interval is another address."""
    with site.look() as looker:
        page = looker.open(f"/symbol/{_a_symbol(site)}")
        looker.wait("document.querySelector('#candles canvas') && document.querySelector('.legend b')")
        page.click(".choice button:has-text('15m')")
        assert page.url.endswith("?interval=15m")
        looker.wait("document.querySelector('.legend b')")


def test_names_of_any_kind_are_addresses(site: Site) -> None:
    """A name with slashes, colons or other letters is what the address says."""
    with site.look() as looker:
        for name, address in (
            ("BTC/USDT:USDT", "/symbol/BTC%2FUSDT%3AUSDT"),
            ("BTC/USDT:USDT", "/symbol/BTC/USDT:USDT"),
            ("币安人生USDT", "/symbol/币安人生USDT"),
        ):
            looker.open(address)
            assert looker.text("h1") == name


def test_a_search_opens_a_symbol(site: Site) -> None:
    """`/`, some letters, an arrow and Enter lead to a symbol."""
    name = _a_symbol(site)
    with site.look() as looker:
        page = looker.open("/traders")
        page.keyboard.press("/")
        page.keyboard.type(name.lower())
        looker.wait("document.querySelector('#found [role=option]')")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/symbol/{name}")
        page.go_back()
        page.wait_for_url("**/traders")


def test_keys_open_views_and_the_overlay_is_remembered(site: Site) -> None:
    """Digits open views; `d` shows the overlay on each, also after the page was loaded anew; `?` lists the keys."""
    with site.look() as looker:
        page = looker.open("/")
        page.keyboard.press("2")
        page.wait_for_url("**/matches")
        page.keyboard.press("d")
        looker.value("overview.engine.efficiency")
        assert looker.count(".overlay") == 1
        page.reload()
        looker.wait("document.querySelector('.overlay')")
        page.keyboard.press("d")
        looker.wait("!document.querySelector('.overlay')")
        page.keyboard.press("?")
        looker.wait("document.querySelector('dialog[open]')")
        page.keyboard.press("Escape")
        looker.wait("!document.querySelector('dialog')")


def test_thousands_of_rows_are_few_in_the_document(site: Site) -> None:
    """All matches can be scrolled through and reached by keys; only those in sight are in the document."""
    with site.look() as looker:
        page = looker.open("/matches?sort=symbol,trader")
        looker.wait(f"document.querySelectorAll('{ROWS} a').length > 20")
        most = 0
        for step in range(1, 11):
            page.evaluate("(part) => document.querySelector('.rows').scrollTo(0, part * 30)", step * SYMBOLS // 5)
            looker.wait(f"[...document.querySelectorAll('{ROWS}')].every((row) => row.className !== 'row empty')")
            most = max(most, looker.count(ROWS))
        assert most < 80
        looker.wait(f"document.querySelector('{ROWS}[aria-rowindex=\"{2 * SYMBOLS}\"]')")
        page.focus(".rows")
        page.keyboard.press("Home")
        looker.wait("document.querySelector('.rows').scrollTop === 0")
        page.keyboard.press("ArrowDown")
        looker.wait("document.querySelector('.row.active a')")
        name = looker.text(".row.active a")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/symbol/{name}")


def test_the_order_stands_still_under_the_pointer(site: Site) -> None:
    """While the pointer is on the rows they keep their places and get new values; then the newest order comes."""
    order = f"[...document.querySelectorAll('{ROWS}')].sort((one, other) => one.ariaRowIndex - other.ariaRowIndex)"
    names = f"{order}.slice(0, 12).map((row) => row.querySelector('a').textContent).join()"
    values = f"{order}.slice(0, 12).map((row) => row.innerText).join()"
    with site.look() as looker:
        page = looker.open("/matches?traders=price&sort=age_ms")
        looker.wait(f"document.querySelectorAll('{ROWS} a').length > 12")
        free = page.evaluate(names)
        looker.wait(f"{names} !== {json.dumps(free)}")
        page.hover(f"{ROWS} >> nth=4")
        looker.wait("document.querySelector('.held')")
        held, before = page.evaluate(names), page.evaluate(values)
        looker.wait(f"{values} !== {json.dumps(before)}")
        looker.wait("/[1-9]\\d* waiting/.test(document.querySelector('.held').textContent)")
        assert page.evaluate(names) == held
        page.hover(".brand")
        looker.wait(f"{names} !== {json.dumps(held)}")
        assert looker.count(".held") == 0


def test_an_address_holds_sort_and_filters(site: Site) -> None:
    """What was chosen stands in the address: whoever opens it sees the same."""
    name = _a_symbol(site)
    with site.look() as looker:
        page = looker.open("/matches")
        page.fill("[aria-label='Filter by symbol or trader']", name)
        looker.wait("location.search.includes('text=')")
        page.click("button.heading:has-text('Last')")
        page.click("button.heading:has-text('Symbol')", modifiers=["Shift"])
        address = page.url
        assert "sort=-last,symbol" in address
    with site.look() as other:
        page = other.open(address.removeprefix(site.url))
        assert other.value("matches.matching") == 2
        assert page.input_value("[aria-label='Filter by symbol or trader']") == name
        assert other.texts("[aria-sort]") == ["Symbol", "Last"]


def test_a_view_is_saved_under_a_name(site: Site) -> None:
    """A saved view leads back to its address, after the page was loaded anew as well."""
    with site.look() as looker:
        page = looker.open("/matches?traders=size&sort=symbol")
        page.click("summary:has-text('Saved views')")
        page.click("text=Save this view")
        page.keyboard.type("sizes")
        page.keyboard.press("Enter")
        looker.open("/matches")
        page.click("summary:has-text('Saved views')")
        page.click(".menu a:has-text('sizes')")
        page.wait_for_url("**/matches?traders=size&sort=symbol")


def test_matches_become_a_file(site: Site, tmp_path: Path) -> None:
    """The file holds every match that the filters leave, not only those in sight, once and in the view's order."""
    with site.look() as looker:
        page = looker.open("/matches?traders=price&sort=-symbol")
        with page.expect_download() as download:
            page.click("button:has-text('CSV')")
        download.value.save_as(tmp_path / "matches.csv")
    with (tmp_path / "matches.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["trader"] for row in rows} == {"price"}
    symbols = [row["symbol"] for row in rows]
    assert len(set(symbols)) == SYMBOLS
    assert symbols == sorted(symbols, reverse=True)


def test_without_the_token_nothing_can_be_changed(site: Site) -> None:
    """Who may only read is told how to get the link, and sees no switch."""
    with site.look() as looker:
        looker.open("/traders")
        looker.wait("document.querySelector('main tbody tr')")
        assert looker.count(".actions button") == 0
        assert "tickflag dashboard --open" in looker.text("main .hint")
        looker.open("/debug")
        looker.wait("document.querySelector('main .hint')")
        assert looker.count("main button") == 0


def test_a_trader_is_stopped_after_a_question(site: Site) -> None:
    """Stop asks first; cancelled, nothing happens. Then the supervisor has done it, and Start takes it back."""
    with site.operate() as operator:
        page = operator.open("/traders")
        page.click("tr:has-text('nothing') button:has-text('Stop')")
        page.click("dialog button:has-text('Cancel')")
        operator.wait("!document.querySelector('dialog')")
        assert site.engine.trader("nothing")["state"] == "running"
        page.click("tr:has-text('nothing') button:has-text('Stop')")
        page.click("dialog button.harm")
        page.click("tr:has-text('nothing') button:has-text('Start')")
        operator.wait("[...document.querySelectorAll('tr')].some((row) => /nothing[^]*running/.test(row.innerText))")


def test_a_killed_trader_turns_red_and_recovers(site: Site) -> None:
    """A worker that dies is told, and that it runs again."""
    restarts = site.engine.trader("nothing")["restarts"]
    with site.look() as looker:
        looker.open("/traders/nothing")
        os.kill(int(looker.value("trader.pid")), 9)
        looker.wait(f"document.querySelector('[data-figure=\"trader.restarts\"]').dataset.value > {restarts}")
        looker.wait("document.querySelector('.title .state.good')")


def test_a_feature_flag_is_killed_after_a_question(site: Site) -> None:
    """The kill switch and the slider of the page are what the collector then says."""

    def flag() -> dict[str, Any]:
        flags = site.engine.request("collector", "flags.list")["flags"]
        return next(dict(one) for one in flags if one["flag"] == "audit")

    with site.operate() as operator:
        page = operator.open("/flags/audit")
        page.click("button:has-text('Kill')")
        page.click("dialog button.harm")
        wait_until(lambda: flag()["killed"], what="the flag is killed")
        page.click("button:has-text('Take the kill switch back')")
        page.click("dialog button.harm")
        wait_until(lambda: not flag()["killed"], what="the flag is alive")
        page.fill("input[type=range]", "40")
        page.click("button:has-text('Apply')")
        wait_until(lambda: flag()["percentage"] == 40, what="the percentage is set")
        page.click("button:has-text('Take back all')")
        page.click("dialog button.harm")
        wait_until(lambda: flag()["percentage"] is None, what="all is taken back")


def test_the_ring_is_switched_and_the_feed_swaps(site: Site) -> None:
    """The debug view switches the ring of updates on and off, and asks the feed for a swap."""
    with site.operate() as operator:
        page = operator.open("/debug")
        page.click("button:has-text('Ring of updates: off')")
        operator.wait("document.querySelectorAll('.scrolled tbody tr').length > 10")
        page.click("button:has-text('Swap now')")
        operator.wait("document.querySelector('.said')?.textContent.includes('announced')")
        page.click("button:has-text('Ring of updates: on')")
        page.wait_for_selector("button:has-text('Ring of updates: off')")


def test_signals_flow_and_jump(site: Site) -> None:
    """The newest signals come by themselves; a number shows those up to it."""
    with site.look() as looker:
        page = looker.open("/signals")
        newest = looker.value("signals.last_seq")
        looker.wait(f"document.querySelector('[data-figure=\"signals.last_seq\"]').dataset.value > {newest}")
        page.fill("[name=to]", "3")
        page.click("button:has-text('Go')")
        looker.wait("document.querySelector('[data-figure=\"signals.3.seq\"]')")
        assert looker.count(ROWS) == 3
        page.click("button:has-text('Live')")
        looker.wait("!location.search")


def test_the_colours_are_chosen_and_remembered(site: Site) -> None:
    """Light and dark follow the system until one is chosen."""
    ground = "getComputedStyle(document.body).backgroundColor"
    with site.look(color_scheme="dark") as looker:
        page = looker.open("/")
        dark = page.evaluate(ground)
        page.click("button.theme")
        light = page.evaluate(ground)
        assert light != dark
        page.reload()
        assert page.evaluate(ground) == light


def test_the_page_connects_again_by_itself(site: Site) -> None:
    """Without the server the page says so; when the server is back, it goes on with new data, untouched."""
    with site.look() as looker:
        looker.open("/")
        before = looker.value("overview.feed.updates")
        looker.lost = True
        site.engine.kill("dashboard")
        looker.wait("document.querySelector('[data-standing=reconnecting]')")
        assert "No connection" in looker.text("#notice [role=alert]")
        site.start()
        looker.wait("document.querySelector('[data-standing=live]')")
        looker.wait(f"document.querySelector('[data-figure=\"overview.feed.updates\"]').dataset.value > {before}")
        assert looker.count("#notice [role=alert]") == 0


_IN_ORDER = f"[...document.querySelectorAll('{ROWS}')].sort((one, other) => one.ariaRowIndex - other.ariaRowIndex)"
_NAMES = f"{_IN_ORDER}.slice(0, 12).map((row) => row.querySelector('a').textContent).join()"
_HELD_FOR = """() => {
    document.addEventListener("touchend", () => (window.liftedMs = performance.now()));
    new MutationObserver(() => {
        if (!document.querySelector(".held")) window.heldForMs ??= performance.now() - window.liftedMs;
    }).observe(document.body, { childList: true, subtree: true });
}"""
"""Measures how long the order is held after the finger went."""
_WAITING = "/[1-9]\\d* waiting/.test(document.querySelector('.held')?.textContent)"


def test_the_order_stands_still_under_a_finger(site: Site) -> None:
    """As long as it is down, and for a while after it; then the newest order comes."""
    with site.look(PHONE, has_touch=True) as looker:
        page = looker.open("/matches?traders=price&sort=age_ms")
        looker.wait(f"document.querySelectorAll('{ROWS} a').length > 12")
        box = page.locator(f"{ROWS} >> nth=4").bounding_box()
        assert box is not None
        hand = page.context.new_cdp_session(page)
        point = {"x": box["x"] + box["width"] - 5, "y": box["y"] + box["height"] / 2}
        hand.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        looker.wait("document.querySelector('.held')")
        held = page.evaluate(_NAMES)
        looker.wait(_WAITING)
        assert page.evaluate(_NAMES) == held
        page.evaluate(_HELD_FOR)
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert looker.wait("window.heldForMs") > 2_900
        looker.wait(f"{_NAMES} !== {json.dumps(held)}")


def test_the_order_stands_still_under_the_keyboard(site: Site) -> None:
    """While a row is chosen, and while the keyboard is on something in a row; not where a click left the focus."""
    with site.look() as looker:
        page = looker.open("/matches?traders=price&sort=age_ms")
        looker.wait(f"document.querySelectorAll('{ROWS} a').length > 12")
        page.focus("[role=grid]")
        page.keyboard.press("ArrowDown")
        looker.wait(_WAITING)
        page.keyboard.press("Escape")
        looker.wait("!document.querySelector('.held')")
        page.evaluate(f"document.querySelector('{ROWS} a').focus()")
        held = page.evaluate(_NAMES)
        looker.wait(_WAITING)
        assert page.evaluate(_NAMES) == held
        page.evaluate("document.activeElement.blur()")
        looker.wait(f"!document.querySelector('.held') && {_NAMES} !== {json.dumps(held)}")


def test_all_signals_that_fit_are_saved(site: Site, tmp_path: Path) -> None:
    """The file holds what the filters leave of the whole journal, not only what the page has loaded."""
    site.engine.wait(lambda: len(site.engine.signals()) > SYMBOLS, what="more signals than a page loads")
    with site.look() as looker:
        page = looker.open("/signals?trader=price&event=entered")
        looker.wait(f"document.querySelectorAll('{ROWS} a').length")
        with page.expect_download() as download:
            page.click("button:has-text('CSV')")
        assert download.value.suggested_filename == "signals.csv"
        download.value.save_as(tmp_path / "signals.csv")
    with (tmp_path / "signals.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["trader"], row["event"]) for row in rows} == {("price", "entered")}
    assert len({row["symbol"] for row in rows}) == SYMBOLS
