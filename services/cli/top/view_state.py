"""ViewState: what of the engine is shown, and what a key changes in that. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tickflag.services.cli.top.reading import TraderLine

Page = Literal["overview", "trader", "buffers", "keys"]

SORTS = (
    "name", "state", "matches", "entered", "left", "efficiency", "cycle_ms", "ns_per_symbol", "processed", "skipped",
    "restarts",
)  # fmt: skip
"""Fields of TraderLine, in the order in which `s` goes through them."""
_WORDS = ("name", "state")
_LONGEST_FILTER = 60
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}


@dataclass(frozen=True, slots=True)
class ViewState:
    """What is shown."""

    page: Page = "overview"
    sort: str = "name"
    descending: bool = False
    filter: str = ""
    typing: bool = False
    """The keys are those of the filter."""
    chosen: str = ""
    """Name of a trader; empty before the first key."""
    scroll: int = 0
    """Lines of the trader's page that are above the screen."""
    over: bool = False


def arranged(traders: Sequence[TraderLine], state: ViewState) -> list[TraderLine]:
    """The traders that the filter leaves, in order. What is not known stands last; equals are in order of names."""
    wanted = state.filter.casefold()
    left = [one for one in traders if wanted in f"{one.name} {one.state}".casefold()]
    named = sorted(left, key=lambda one: one.name)
    known = [one for one in named if getattr(one, state.sort) is not None]
    unknown = [one for one in named if getattr(one, state.sort) is None]
    return sorted(known, key=lambda one: getattr(one, state.sort), reverse=state.descending) + unknown


def place(traders: Sequence[TraderLine], state: ViewState) -> int:
    """Where in the arranged traders the chosen one is; 0 where it is not among them."""
    return next((at for at, one in enumerate(traders) if one.name == state.chosen), 0)


def pressed(state: ViewState, key: str, traders: Sequence[TraderLine], page_rows: int = 10, most: int = 0) -> ViewState:
    """The state after a key. `traders` are the arranged ones, `page_rows` the rows of a page, `most` how far the
    trader's page can be scrolled."""
    if state.typing:
        return _typed(state, key)
    if key == "q":
        return replace(state, over=True)
    if key in ("?", "h"):
        return replace(state, page="overview" if state.page == "keys" else "keys")
    if key == "b":
        return replace(state, page="overview" if state.page == "buffers" else "buffers")
    if state.page in ("keys", "buffers"):
        return replace(state, page="overview")
    if state.page == "trader":
        return _in_trader(state, key, traders, page_rows, most)
    match key:
        case "enter" | "right" if traders:
            return replace(state, page="trader", chosen=traders[place(traders, state)].name, scroll=0)
        case "s" | "S":
            at = SORTS.index(state.sort) + (1 if key == "s" else -1)
            chosen = SORTS[at % len(SORTS)]
            return replace(state, sort=chosen, descending=chosen not in _WORDS)
        case "r":
            return replace(state, descending=not state.descending)
        case "/":
            return replace(state, typing=True)
        case "esc":
            return replace(state, filter="")
    return _moved(state, key, traders, page_rows)


def _typed(state: ViewState, key: str) -> ViewState:
    match key:
        case "enter":
            return replace(state, typing=False)
        case "esc":
            return replace(state, typing=False, filter="")
        case "backspace":
            return replace(state, filter=state.filter[:-1])
    if len(key) == 1 and len(state.filter) < _LONGEST_FILTER:
        return replace(state, filter=state.filter + key)
    return state


def _in_trader(state: ViewState, key: str, traders: Sequence[TraderLine], page_rows: int, most: int) -> ViewState:
    match key:
        case "esc" | "backspace" | "left" | "enter":
            return replace(state, page="overview")
        case "n" | "p" if traders:
            at = (place(traders, state) + (1 if key == "n" else -1)) % len(traders)
            return replace(state, chosen=traders[at].name, scroll=0)
    to = _step(key, min(state.scroll, most), most, page_rows)
    return state if to is None else replace(state, scroll=to)


def _moved(state: ViewState, key: str, traders: Sequence[TraderLine], page_rows: int) -> ViewState:
    to = _step(key, place(traders, state), len(traders) - 1, page_rows)
    return state if to is None or not traders else replace(state, chosen=traders[to].name)


def _step(key: str, at: int, last: int, page_rows: int) -> int | None:
    """Where a key of movement leads; None for another key."""
    match key:
        case "up" | "k" | "down" | "j":
            at += _STEPS[key]
        case "pgup" | "pgdn":
            at += page_rows if key == "pgdn" else -page_rows
        case "home" | "g":
            at = 0
        case "end" | "G":
            at = last
        case _:
            return None
    return max(0, min(at, last))
