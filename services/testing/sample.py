"""Sample: a generated market to check a trader with, as a list of moments that any number of ManualMarkets can play.

It has quiet and busy phases, shocks, young symbols, gaps between candles, incomplete candles, one-sided quotes, symbols
without a trade or with a constant price, a delisting, closing candles, and stretches in which only the time or only one
symbol moves. The same seed gives the same market.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tickflag.common.segment.segment import interval_seconds
from tickflag.common.traderapi import Trader
from tickflag.services.testing.market import ManualMarket
from tickflag.services.trader.evaluation.planning.watchlist import WatchList

COMMON_NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LINKBTC", "PEPEUSDC")
WATCHED, OTHERS = 24, 8  # symbols


@dataclass(frozen=True, slots=True)
class MarketCall:
    """A call of a method of ManualMarket for a symbol: `tick`, `candles` or `delist`."""

    call: str
    symbol: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def apply(self, market: ManualMarket) -> None:
        getattr(market, self.call)(self.symbol, **self.arguments)


@dataclass(frozen=True, slots=True)
class Moment:
    """After `after_s` seconds these changes happen; then the traders step."""

    after_s: float
    changes: tuple[MarketCall, ...]


Sample = Sequence[Moment]


def sample(trader: Trader, seed: int) -> list[Moment]:
    """A market in which a trader with this declaration has something to do."""
    return list(_Generator(trader, seed).moments())


def without(moments: Sample, symbols: Collection[str]) -> list[Moment]:
    """The sample without these symbols."""
    return [
        replace(moment, changes=tuple(change for change in moment.changes if change.symbol not in symbols))
        for moment in moments
    ]


def otherwise(moments: Sample, symbols: Collection[str]) -> list[Moment]:
    """The sample with other prices and sizes for these symbols, at the same moments."""
    rng = np.random.default_rng(1)

    def changed(change: MarketCall) -> MarketCall:
        if change.symbol not in symbols:
            return change
        factor = float(rng.uniform(0.3, 3.0))
        arguments = {
            name: value * factor if isinstance(value, float | np.ndarray) else value
            for name, value in change.arguments.items()
        }
        return replace(change, arguments=arguments)

    return [replace(moment, changes=tuple(map(changed, moment.changes))) for moment in moments]


def symbols_of(moments: Sample) -> list[str]:
    """All symbols, in the order of their first change."""
    return list(dict.fromkeys(change.symbol for moment in moments for change in moment.changes))


def watched_symbols(trader: Trader, count: int) -> list[str]:
    """At most `count` names that the trader's watch list wants; references come first."""
    watch = WatchList(trader.watch, trader.exclude, 0)
    plain = list(COMMON_NAMES) + [f"S{number:02}USDT" for number in range(count)]
    patterns = [name for pattern in trader.watch for name in _examples(pattern, count)]
    names = dict.fromkeys((*plain, *patterns))
    wanted = [name for name in names if watch.wants(name)]
    # A narrow pattern may match none of the plain names, so names made from the patterns come as well.
    return list(dict.fromkeys((*trader.references, *wanted)))[:count]


def _examples(pattern: str, count: int) -> Iterator[str]:
    """Names that match a pattern of `*`, `?` and `[abc]`, all different where the pattern leaves room."""
    for number in range(count):
        name, at = "", 0
        while at < len(pattern):
            end = pattern.find("]", at + 2) if pattern[at] == "[" else -1
            if end > 0:
                name += _one_of(pattern[at + 1 : end], number)
                at = end
            else:
                name += {"*": f"X{number}" if number else "", "?": chr(ord("A") + number % 26)}.get(
                    pattern[at], pattern[at]
                )
            at += 1
        if 0 < len(name) < 48:
            yield name


def _one_of(letters: str, number: int) -> str:
    if letters[0] != "!":
        return letters[number % len(letters)]
    return next((letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" if letter not in letters[1:]), "_")


class _Generator:
    """Walks prices and lays out the moments."""

    def __init__(self, trader: Trader, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        watched = watched_symbols(trader, WATCHED)
        others = [f"OTHER{number}" for number in range(OTHERS)]
        self._symbols = [name for pair in zip(watched, others, strict=False) for name in pair]
        self._symbols += [name for name in (*watched, *others) if name not in self._symbols]
        self._references = set(trader.references)
        intervals = {name for name in (trader.candles, trader.channel) if name not in (None, "ticker")}
        self._intervals = sorted((str(name) for name in intervals), key=interval_seconds)
        self._look_back = trader.look_back
        self._length_s = interval_seconds(self._intervals[0]) if self._intervals else 60
        count = len(self._symbols)
        self._price = dict(zip(self._symbols, 10.0 ** self._rng.uniform(-2.0, 4.5, count), strict=True))
        self._step = dict(zip(self._symbols, 10.0 ** self._rng.uniform(-4.5, -1.8, count), strict=True))
        self._drift = dict(zip(self._symbols, self._rng.choice((-0.8, 0.0, 0.0, 0.8), count), strict=True))
        for name in self._symbols[4::20]:  # their price is constant
            self._step[name] = 0.0
        self._live = list(self._symbols)

    def moments(self) -> Iterator[Moment]:
        late = [name for name in self._symbols[::8] if name not in self._references]  # listed later
        first = [name for name in self._symbols if name not in late]
        yield Moment(0.0, tuple(self._history(first)))
        self._live = first
        yield Moment(0.01, tuple(self._tick(name) for name in first))
        yield from self._phase(24, lambda: self._rng.uniform(0.2, 3.0), 2)
        yield from self._phase(16, lambda: 0.1, len(first) * 2 // 3)
        self._live = self._symbols
        yield Moment(1.0, tuple(self._tick(name) for name in late))
        yield from self._phase(30, lambda: self._length_s * 0.4, len(first) // 3)
        # One symbol at a time, while time stands still.
        yield from (Moment(0.0, (self._tick(name),)) for name in self._some(7))
        # Hardly anything but the time moves.
        for after_s in (0.5, 4.0, 20.0, 70.0, 400.0, 2_000.0, 5.0, 9_000.0, 1.0, 40_000.0, 86_400.0, 3.0):
            yield Moment(after_s, (self._tick(self._symbols[-1]),))
        gone = next((name for name in reversed(first) if name not in self._references), None)
        if gone is not None:
            yield Moment(0.2, (MarketCall("delist", gone),))
            self._live = [name for name in self._symbols if name != gone]
        for _ in range(2):
            yield from self._phase(6, lambda: 0.1, len(first) * 2 // 3)
            yield from self._phase(12, lambda: self._length_s * 0.7, len(first) // 4)
            yield from self._phase(9, lambda: self._rng.uniform(1.0, 30.0), 1)

    def _history(self, names: Sequence[str]) -> Iterator[MarketCall]:
        for number, name in enumerate(names):
            for interval in self._intervals:
                young = number % 6 == 5 and name not in self._references
                count = int(self._rng.integers(1, 4)) if young else self._look_back + int(self._rng.integers(2, 9))
                steps = self._rng.normal(self._drift[name] * 0.5, 1.0, count) * self._step[name]
                close = self._price[name] * np.exp(np.cumsum(steps))
                opens = np.concatenate(([self._price[name]], close[:-1]))
                if number % 6 in (2, 5) and name not in self._references:  # known from the middle of a candle on
                    opens[max(0, count - self._look_back)] = np.nan  # so it is in the first look-back
                wick = np.exp(np.abs(self._rng.normal(0.0, self._step[name], count)))
                yield MarketCall(
                    "candles",
                    name,
                    {
                        "interval": interval, "close": close, "open": opens,
                        "high": np.maximum(opens, close) * wick, "low": np.minimum(opens, close) / wick,
                        "volume": self._rng.lognormal(2.0, 0.5, count),
                    },
                )  # fmt: skip
                self._price[name] = float(close[-1])

    def _phase(self, count: int, after_s: Callable[[], float], symbols: int) -> Iterator[Moment]:
        for _ in range(count):
            yield Moment(float(after_s()), tuple(self._tick(name) for name in self._some(symbols)))

    def _some(self, count: int) -> list[str]:
        chosen = self._rng.choice(len(self._live), min(max(count, 1), len(self._live)), replace=False)
        return [self._live[place] for place in chosen]

    def _tick(self, name: str) -> MarketCall:
        """The next price of a symbol, with those of the other figures that the symbol has."""
        rng, step = self._rng, self._step[name]
        shock = float(rng.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, -0.03, 0.1)))
        if step:
            self._price[name] *= math.exp(float(rng.normal(self._drift[name], 1.0)) * step + shock)
        price = self._price[name] = min(max(self._price[name], 1e-4), 1e6)
        half = float(rng.choice((0.00005, 0.0003, 0.002, 0.01))) * price
        kind = (self._symbols.index(name) + 3) % 10
        known: dict[str, float] = {"bid": price - half, "ask": price + half, "bid_size": float(rng.lognormal(1.0, 1.0))}
        known["ask_size"] = float(rng.lognormal(1.0, 1.0))
        if kind == 0 and name not in self._references:  # a one-sided quote
            del known["ask"], known["ask_size"]
        if not (kind == 1 and name not in self._references):  # all but these symbols trade as well
            known |= {"last": price, "size": float(rng.lognormal(1.0, 1.0) * rng.choice((1.0, 1.0, 1.0, 40.0)))}
        if kind >= 6:
            opened = price / (1.0 + float(rng.normal(0.01, 0.05)))
            known |= {"open_24h": opened, "high_24h": max(price, opened) * (1.0 + 0.02 * float(rng.random()))}
            known |= {"low_24h": min(price, opened) * 0.98, "volume_24h": float(rng.lognormal(8.0, 2.0))}
        return MarketCall("tick", name, known)
