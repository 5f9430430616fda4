"""The hooks of a trader plugin. Mark your functions with `hookimpl`; leave out arguments you do not need."""

from typing import Any

import pluggy
from pydantic import BaseModel

from tickflag.common.traderapi.declaration import Trader
from tickflag.common.traderapi.views import Market, Symbol

PROJECT = "tickflag"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def settings() -> type[BaseModel]:
    """The pydantic model of the trader's own settings. Called once, first; the other hooks get an instance of it."""
    raise NotImplementedError


@hookspec(firstresult=True)
def trader(settings: Any) -> Trader:
    """Declare the trader: its name and what it looks at. Called once, when the plugin is loaded."""
    raise NotImplementedError


@hookspec(firstresult=True)
def evaluate(market: Market, settings: Any) -> Any:
    """Which symbols of `market` match, all at once: one of

    - a boolean array, True where the symbol matches (its score is then 1),
    - a float array of scores, NaN where the symbol does not match,
    - a pair of both: (mask, scores),
    - with notes, (mask, scores, notes): a dict of a symbol, or its place, to a short text on its match.

    A column of a data frame is taken by its labels, whatever its order.

    Called with the changed symbols only, unless the trader's scope is `market`.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def evaluate_symbol(symbol: Symbol, settings: Any) -> Any:
    """Does this one symbol match: False or None, or True, or its score.

    With a short text on the match, (score, note). Simplest to write; `evaluate` is faster.
    """
    raise NotImplementedError
