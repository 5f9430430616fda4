"""A trader that fails in every cycle: what its neighbours notice of it is measured."""

from common.traderapi import Market, Trader, hookimpl


@hookimpl
def trader() -> Trader:
    return Trader(name="failing")


@hookimpl
def evaluate(market: Market) -> None:
    raise RuntimeError("as always")
