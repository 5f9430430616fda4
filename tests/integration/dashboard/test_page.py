"""The dashboard's page in a real browser, on a running engine."""

import json

from tests.support.harnesses.browsed_engine import SYMBOLS, BrowsedEngine

ROWS = "[role=row][aria-rowindex]"
VIEWS = ["/", "/matches", "/traders", "/traders/price", "/signals", "/notices", "/flags", "/flags/audit", "/debug"]


def test_candles_are_drawn(site: BrowsedEngine) -> None:
    """The view of a symbol draws candles and names the one that forms; another interval is another address."""
    with site.look() as looker:
        page = looker.open(f"/symbol/{site.symbol()}")
        looker.wait("document.querySelector('#candles canvas') && document.querySelector('.legend b')")
        page.click(".choice button:has-text('15m')")
        assert page.url.endswith("?interval=15m")
        looker.wait("document.querySelector('.legend b')")


def test_a_search_opens_a_symbol(site: BrowsedEngine) -> None:
    """`/`, some letters, an arrow and Enter lead to a symbol."""
    name = site.symbol()
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


def test_keys_open_views_and_the_overlay_is_remembered(site: BrowsedEngine) -> None:
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


def test_thousands_of_rows_are_few_in_the_document(site: BrowsedEngine) -> None:
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


def test_the_order_stands_still_under_the_pointer(site: BrowsedEngine) -> None:
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


def test_an_address_holds_sort_and_filters(site: BrowsedEngine) -> None:
    """What was chosen stands in the address: whoever opens it sees the same."""
    name = site.symbol()
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


def test_a_view_is_saved_under_a_name(site: BrowsedEngine) -> None:
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


def test_signals_flow_and_jump(site: BrowsedEngine) -> None:
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


def test_the_colours_are_chosen_and_remembered(site: BrowsedEngine) -> None:
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
