"""Wide spread: bid and ask are further apart than usual for a liquid symbol. Written for one symbol at a time."""

from tickflag import Symbol, Trader, hookimpl

WIDE = 0.002


@hookimpl
def trader() -> Trader:
    return Trader(
        name="spread",
        description="Spread of at least 0.2 % of the mid price. Score: the spread as a share of the mid price.",
        score_step=0.0005,
    )


@hookimpl
def evaluate_symbol(symbol: Symbol) -> float | None:
    spread = (symbol.ask - symbol.bid) / (symbol.ask + symbol.bid) * 2.0
    return spread if spread >= WIDE else None
