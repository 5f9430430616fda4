"""A trader that fails in every cycle, to measure what its neighbours notice."""

from tickflag import Market, Trader, hookimpl


@hookimpl
def trader() -> Trader:
    return Trader(name="failing")


@hookimpl
def evaluate(market: Market) -> None:
    raise RuntimeError("as always")
