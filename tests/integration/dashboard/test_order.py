"""The order of rows on the page: it stands still while somebody is about to choose one."""

import json

from tests.support.harnesses.browsed_engine import BrowsedEngine
from tests.support.harnesses.browser import PHONE

ROWS = "[role=row][aria-rowindex]"
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


def test_the_order_stands_still_under_a_finger(site: BrowsedEngine) -> None:
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


def test_the_order_stands_still_under_the_keyboard(site: BrowsedEngine) -> None:
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
