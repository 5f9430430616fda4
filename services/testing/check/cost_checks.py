"""Economy: what a trader asks for without need, and what it costs."""

from collections.abc import Callable, Iterator

from common.settings import Settings
from common.traderapi import Trader
from services.testing.cost import Cost, measure
from services.testing.finding import Finding
from services.testing.fresh import Fresh
from services.testing.looks import Looks
from services.testing.run import Seating, play
from services.testing.sample import Sample

HEAVY = 0.1  # share of a cycle


def needs(
    settings: Settings, fresh: Fresh, trader: Trader, moments: Sample, turn: Callable[[], None]
) -> Iterator[Finding]:
    """What is declared and not used in the sample."""
    looks, seatings = Looks(), {"one": Seating(fresh.load())}
    with looks.watching():
        play(settings, moments, seatings, turn)
    if trader.candles is None or not looks.candles:
        return
    used = tuple(column for column in trader.columns if column in looks.candles)
    idle = [column for column in trader.columns if column not in looks.candles]
    if idle:
        yield Finding("columns", "warn", f"never looked at {', '.join(idle)}", f"declare `columns={used}`: faster")
    if trader.channel == "ticker" and trader.scope == "symbol" and not (trader.forming or trader.every or looks.ticker):
        do = f'declare `channel="{trader.candles}"`: it is then asked at closes only'
        yield Finding("channel", "warn", "looks at closed candles only, but wakes on every change", do)


def cost_of(settings: Settings, fresh: Fresh, turn: Callable[[], None]) -> tuple[Cost, Finding]:
    """What a cycle costs, and what to do where that is much."""
    cost = measure(settings, fresh.load, turn)
    found = (
        f"{cost.symbol_us:.2f} us a symbol; {cost.full_ms:.2f} ms for all {cost.symbols:,}, "
        f"{100.0 * cost.share:.1f} % of a 100 ms cycle; {cost.changed_ms:.2f} ms where 5 % changed"
    )
    if cost.share <= HEAVY:
        return cost, Finding("cost", "ok", found)
    do = "look at fewer candles and columns, avoid loops over symbols"
    return cost, Finding(
        "cost", "warn", found, do if fresh.load().vectorised else "write `evaluate`, which takes all at once"
    )
