"""Every view of the page: live data, no request elsewhere, room on phones, colours that can be read, the keyboard."""

import pytest

from tests.support.harnesses.browsed_engine import BrowsedEngine
from tests.support.harnesses.browser import DESK, PHONES, Looker

VIEWS = ("/", "/matches", "/traders", "/traders/price", "/signals", "/notices", "/flags", "/flags/audit", "/debug")
SIGHTS = ((DESK, "light"), (DESK, "dark"), (PHONES[0], "dark"), (PHONES[1], "light"))
DRAWN = "document.querySelectorAll('main [data-figure]:not([data-value=\"\"])').length"


@pytest.mark.parametrize(("size", "scheme"), SIGHTS, ids=[f"{size[0]}-{scheme}" for size, scheme in SIGHTS])
def test_every_view_has_live_data_and_suits_everybody(site: BrowsedEngine, size: tuple[int, int], scheme: str) -> None:
    """Each view shows figures of the engine, writes no error, breaks no rule of the page's policy, asks no other
    machine, and fits its window; its texts have the contrast of WCAG AA, and all that can be pressed lies in reach."""
    phone = size != DESK
    with site.operate(size, color_scheme=scheme, has_touch=phone) as looker:
        for view in [*VIEWS, f"/symbol/{site.symbol()}"]:
            looker.open(view)
            looker.wait(DRAWN)
            assert looker.fits(), view
            checks = ("pale", "beside", "nameless", *(("small",) if phone else ()))
            assert {check: found for check in checks if (found := looker.check(check))} == {}, view
        if phone:
            _walk_by_touch(looker)


def _walk_by_touch(looker: Looker) -> None:
    """Every view can be reached from the header."""
    page = looker.open("/")
    for name, address in (("Matches", "matches"), ("Traders", "traders"), ("Signals", "signals")):
        page.tap(f"nav a:has-text('{name}')")
        page.wait_for_url(f"**/{address}")
    for name, address in (("Notices", "notices"), ("Flags", "flags"), ("Debug", "debug")):
        page.tap("nav summary")
        page.tap(f"nav details a:has-text('{name}')")
        page.wait_for_url(f"**/{address}")
        looker.wait("!document.querySelector('nav details[open]')")


@pytest.mark.parametrize("view", ["/", "/traders", "/flags/audit"])
def test_the_keyboard_comes_to_everything(site: BrowsedEngine, view: str) -> None:
    """Tab leads to every link, button and field of a view, and from the first of them to its content."""
    with site.operate() as looker:
        page = looker.open(view)
        looker.wait(DRAWN)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.evaluate(
            "window.stops = new Set(); document.addEventListener('focusin', (event) => stops.add(event.target))"
        )
        wanted = looker.check("stops")
        for _ in range(2 * wanted):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement === document.body"):
                break
        assert page.evaluate("stops.size") >= 0.9 * wanted  # rows of a live table come and go meanwhile


SCRIPT = "document.body.append(Object.assign(document.createElement('script'), { text: '1' }))"


@pytest.mark.parametrize(
    ("mischief", "words"),
    [
        ("document.body.setAttribute('style', 'color: red')", "Content Security Policy"),
        (SCRIPT, "Content Security Policy"),
        ("fetch('http://192.0.2.1/').catch(() => 0)", "Content Security Policy"),
        ("console.error('broken')", "console: broken"),
    ],
)
def test_what_a_page_must_not_do_is_noticed(site: BrowsedEngine, mischief: str, words: str) -> None:
    """The policy forbids inline styles and scripts, and other machines. Whatever breaks it, fails these tests."""

    def break_it() -> None:
        with site.look() as looker:
            looker.open("/notices")
            looker.page.evaluate(f"async () => {{ await {mischief}; }}")

    with pytest.raises(AssertionError, match=words):
        break_it()
