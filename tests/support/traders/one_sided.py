"""A quote that is no market: one side is missing, or bid and ask meet or cross. The hook gets one symbol at a time."""

import math

from tickflag import Symbol, Trader, hookimpl


@hookimpl
def trader() -> Trader:
    return Trader(name="one-sided", watch=["*[0-9]*", "*[!G]"], exclude=["*03-*", "*13-*"])


@hookimpl
def evaluate_symbol(symbol: Symbol) -> bool | float:
    if math.isnan(symbol.bid) or math.isnan(symbol.ask):
        return symbol.bid if math.isnan(symbol.ask) and not math.isnan(symbol.bid) else not math.isnan(symbol.ask)
    return symbol.ask <= symbol.bid
