"""my-trader: bid and ask are at least half a percent apart."""

from tickflag import Symbol, Trader, hookimpl

WIDE = 0.005


@hookimpl
def trader() -> Trader:
    # The name is unique among all traders. `watch` says which symbols may match, as `watch=["*USDT"]`.
    return Trader(name="my-trader", description="Bid and ask are far apart. Score: the spread as a share of the bid.")


@hookimpl
def evaluate_symbol(symbol: Symbol) -> float | None:
    # Called for each symbol that changed. None: no match; a number: a match with this score.
    spread = symbol.ask / symbol.bid - 1.0
    return spread if spread >= WIDE else None  # what is not known is NaN, which is never >= anything
