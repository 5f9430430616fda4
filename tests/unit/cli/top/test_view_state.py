"""What each key does."""

import pytest

from tests.support.stand_ins.engine_reading import line
from tickflag.services.cli.top.reading import TraderLine
from tickflag.services.cli.top.view_state import SORTS, ViewState, arranged, pressed

TRADERS = [
    line("rsi", 1, 5, matches=40),
    line("breakout", 7, 5, matches=5, processed=0, skipped=0),
    line("spread", None, None, matches=40, state="failing"),
]


def after(keys: list[str], state: ViewState | None = None, traders: list[TraderLine] = TRADERS) -> ViewState:
    found = state or ViewState()
    for key in keys:
        found = pressed(found, key, arranged(traders, found), page_rows=2, most=30)
    return found


def names(state: ViewState) -> list[str]:
    return [one.name for one in arranged(TRADERS, state)]


def test_sorting() -> None:
    """`s` and `S` go through the columns, numbers from the greatest on; `r` turns; equals are in order of names, what
    is not known is last."""
    assert names(ViewState()) == ["breakout", "rsi", "spread"]
    by_matches = after(["s", "s"])
    assert (by_matches.sort, names(by_matches)) == ("matches", ["rsi", "spread", "breakout"])
    assert names(after(["r"], by_matches)) == ["breakout", "rsi", "spread"]
    assert names(after(["s"], by_matches)) == ["breakout", "rsi", "spread"]
    assert names(after(["s", "s", "s", "r"], by_matches))[-1] == "breakout"  # it has no efficiency yet
    assert after(["S"]).sort == SORTS[-1]
    assert after(["s"] * len(SORTS)) == ViewState()


def test_filtering() -> None:
    """By name and state as it is typed; keys that have a meaning are letters then."""
    typed = after(["/", "R", "q", "backspace"])
    assert (typed.filter, typed.over, typed.typing) == ("R", False, True)
    assert names(typed) == ["breakout", "rsi", "spread"]
    assert names(after(["s", "i"], typed)) == ["rsi"]
    assert names(after(["/", *"FAIL"])) == ["spread"]
    kept = after(["s", "enter"], typed)
    assert (kept.typing, kept.filter) == (False, "Rs")
    assert after(["esc"], kept).filter == after(["esc"], typed).filter == ""
    assert len(after(["/", *"x" * 200]).filter) < 100
    assert after(["/", "up"]).filter == ""


def test_the_buffers() -> None:
    """`b` shows them from wherever one is; any key leads back, and it is a letter in a filter."""
    assert after(["b"]).page == after(["enter", "b"]).page == "buffers"
    assert after(["b", "b"]).page == after(["b", "esc"]).page == "overview"
    assert after(["/", "b"]).filter == "b"


def test_choosing() -> None:
    """The chosen trader stays chosen wherever it stands; keys stop at the ends."""
    assert after(["down"]).chosen == "rsi"
    assert after(["down", "j", "j"]).chosen == "spread"
    assert after(["pgdn"]).chosen == "spread"
    assert after(["end", "k", "up", "up"]).chosen == "breakout"
    assert after(["end", "home"]).chosen == "breakout"
    assert after(["down", "s", "s", "down"]).chosen == "spread"  # after rsi by matches
    assert after(["down", "x"]).chosen == "rsi"
    assert after(["down", "enter"], traders=[]) == ViewState()


def test_looking_into_a_trader() -> None:
    """Enter opens the chosen one, Escape goes back, `n` and `p` go round, the others scroll."""
    opened = after(["down", "enter"])
    assert (opened.page, opened.chosen) == ("trader", "rsi")
    assert after(["enter"]).chosen == "breakout"
    assert after(["esc"], opened).page == after(["backspace"], opened).page == "overview"
    assert after(["n", "n"], opened).chosen == "breakout"
    assert after(["p", "p"], opened).chosen == "spread"
    assert after(["down", "pgdn", "up"], opened).scroll == 2
    assert after(["end", "down"], opened).scroll == 30
    assert after(["end", "n"], opened).scroll == 0
    assert after(["s"], opened) == opened


@pytest.mark.parametrize("page", [[], ["enter"], ["?"]])
def test_the_end_and_the_keys(page: list[str]) -> None:
    """On every page `q` ends, and `?` shows the keys until another key."""
    assert after([*page, "q"]).over
    assert after(["?"]).page == "keys"
    assert after(["?", "?"]).page == after(["?", "x"]).page == "overview"
