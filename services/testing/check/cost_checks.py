"""Cost checks: findings on what a trader asks for without need, and on what it costs."""

from collections.abc import Callable, Iterator

from tickflag.common.settings import Settings
from tickflag.common.traderapi import Trader
from tickflag.services.testing.check.column_usage import ColumnUsage
from tickflag.services.testing.check.cost import TraderCost, measure
from tickflag.services.testing.check.finding import Finding
from tickflag.services.testing.check.reload import FreshLoader
from tickflag.services.testing.check.run import RunSetup, play
from tickflag.services.testing.sample import Sample

HEAVY = 0.1  # share of a cycle


def needs(
    settings: Settings, loader: FreshLoader, trader: Trader, moments: Sample, on_progress: Callable[[], None]
) -> Iterator[Finding]:
    """Findings on what the trader declares but does not use in the sample."""
    usage, setups = ColumnUsage(), {"one": RunSetup(loader.load())}
    with usage.watching():
        play(settings, moments, setups, on_progress)
    if trader.candles is None or not usage.candles:
        return
    used = tuple(column for column in trader.columns if column in usage.candles)
    idle = [column for column in trader.columns if column not in usage.candles]
    if idle:
        yield Finding("columns", "warn", f"never looked at {', '.join(idle)}", f"declare `columns={used}`: faster")
    if trader.channel == "ticker" and trader.scope == "symbol" and not (trader.forming or trader.every or usage.ticker):
        do = f'declare `channel="{trader.candles}"`: it is then asked at closes only'
        yield Finding("channel", "warn", "looks at closed candles only, but wakes on every change", do)


def cost_of(settings: Settings, loader: FreshLoader, on_progress: Callable[[], None]) -> tuple[TraderCost, Finding]:
    """The trader's cost, and a finding that says what to do where the cost is high."""
    cost = measure(settings, loader.load, on_progress)
    found = (
        f"{cost.symbol_us:.2f} us a symbol; {cost.full_ms:.2f} ms for all {cost.symbols:,}, "
        f"{100.0 * cost.share:.1f} % of a 100 ms cycle; {cost.changed_ms:.2f} ms where 5 % changed"
    )
    if cost.share <= HEAVY:
        return cost, Finding("cost", "ok", found)
    do = "look at fewer candles and columns, avoid loops over symbols"
    return cost, Finding(
        "cost", "warn", found, do if loader.load().vectorised else "write `evaluate`, which takes all at once"
    )
