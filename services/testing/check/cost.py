"""TraderCost: the processor time of a trader's evaluation, measured on a market made for the trader."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from tickflag.common.settings import Settings
from tickflag.common.traderapi import Trader
from tickflag.common.units import MS_PER_S, US_PER_S
from tickflag.services.replay.lockstep import Lockstep
from tickflag.services.testing.market import ManualMarket
from tickflag.services.testing.sample import watched_symbols
from tickflag.services.trader.evaluation.plugin.plugin import Plugin

SYMBOLS = 5_000
CYCLE_MS = 100.0
CHANGED = 0.05  # of the symbols, in a usual cycle
ENOUGH_S = 2.0
TIMES = 7


@dataclass(frozen=True)
class TraderCost:
    """Medians of processor time."""

    symbols: int
    """The number of watched symbols in the market."""
    full_ms: float
    """A cycle that evaluates all symbols."""
    changed_ms: float
    """A cycle in which 5 % of the symbols changed."""
    symbol_us: float
    """The full cycle, divided by the number of symbols."""
    share: float
    """The full cycle as a share of 100 ms."""


def measure(
    settings: Settings, load: Callable[[], Plugin], on_progress: Callable[[], None] = lambda: None
) -> TraderCost:
    """The cost of a trader's cycles with copies and comparison, without processes and the messages between them."""
    trader = load().trader
    names = watched_symbols(trader, SYMBOLS)
    intervals = {name for name in (trader.candles, trader.channel) if name not in (None, "ticker")} or {"1m"}
    block = settings.segment.model_copy(update={"depth": max(trader.look_back, 1), "intervals": sorted(intervals)})
    settings = settings.model_copy(update={"segment": block})
    with ManualMarket(settings, len(names)) as market:
        prices = _filled(market, trader, names, sorted(intervals))
        few = {name: prices[name] for name in names[: max(1, round(len(names) * CHANGED))]}
        full_s = _steps(market, load(), _tracking(settings, False), few, on_progress)
        changed_s = _steps(market, load(), _tracking(settings, True), few, on_progress)
    return TraderCost(
        symbols=len(names),
        full_ms=full_s * MS_PER_S,
        changed_ms=changed_s * MS_PER_S,
        symbol_us=full_s * US_PER_S / len(names),
        share=full_s * MS_PER_S / CYCLE_MS,
    )


def _filled(market: ManualMarket, trader: Trader, names: Sequence[str], intervals: Sequence[str]) -> dict[str, float]:
    """Give every symbol candles and a quote; gives their prices."""
    rng = np.random.default_rng(1)
    prices = {}
    for name in names:
        walk = float(rng.uniform(1.0, 100.0)) * np.exp(np.cumsum(rng.normal(0.0, 0.002, max(trader.look_back, 1))))
        price = prices[name] = float(walk[-1])
        for interval in intervals:
            market.candles(name, interval, walk)
        market.tick(name, bid=price * 0.9995, ask=price * 1.0005, open_24h=price * 0.99, volume_24h=1.0)
    return prices


def _steps(
    market: ManualMarket, plugin: Plugin, settings: Settings, prices: dict[str, float], on_progress: Callable[[], None]
) -> float:
    """Median processor time (s) of a step after each symbol of `prices` changed."""
    lockstep = Lockstep(settings, market.segment, [plugin], lambda _fault: None)
    lockstep.step(market.time_ns)  # not measured: the first step evaluates everything, and compiles
    channel = plugin.trader.channel
    rng = np.random.default_rng(2)
    taken: list[float] = []
    while len(taken) < TIMES and sum(taken) < ENOUGH_S:
        on_progress()
        market.advance(1.0 if channel == "ticker" else channel)
        for name in prices:
            price = prices[name] = prices[name] * float(np.exp(rng.normal(0.0, 0.001)))
            if channel == "ticker":
                market.tick(name, last=price, bid=price * 0.9995, ask=price * 1.0005)
            else:
                market.candles(name, channel, price)
        market.publish()
        began = time.thread_time()
        lockstep.step(market.time_ns)
        taken.append(time.thread_time() - began)
    return median(taken)


def _tracking(settings: Settings, tracking: bool) -> Settings:
    return settings.model_copy(update={"trader": settings.trader.model_copy(update={"tracking": tracking})})
