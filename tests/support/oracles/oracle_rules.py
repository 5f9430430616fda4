"""The rules of the shipped traders and of those in `tests/support/traders`, written again in plain Python.

A rule gets all symbols, in the order in which they first appeared, and gives the matches with their scores.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise

from tests.support.oracles.oracle_market import OracleSymbol

Matches = dict[str, float]
MINUTE_S = 60
CLOSED_ONLY = False


@dataclass(frozen=True)
class OracleRule:
    """What the oracle knows of a trader. `channel` is 0 for the ticker, or an interval's seconds."""

    name: str
    matches: Callable[[Sequence[OracleSymbol]], Matches]
    channel: int = 0
    score_step: float = 0.0


def breakout(symbols: Sequence[OracleSymbol]) -> Matches:
    found = {}
    for symbol in symbols:
        highs = [candle.high for candle in symbol.candles(300, 20, CLOSED_ONLY)]
        if len(highs) == 20 and symbol.last > max(highs):
            found[symbol.name] = symbol.last / max(highs) - 1
    return found


def ma_cross(symbols: Sequence[OracleSymbol]) -> Matches:
    found = {}
    for symbol in symbols:
        closes = tuple(candle.close for candle in symbol.candles(MINUTE_S, 64, CLOSED_ONLY))
        if len(closes) <= 21:
            continue
        fast, slow = _average(closes, 9), _average(closes, 21)
        if fast[-2] <= slow[-2] and fast[-1] > slow[-1]:
            found[symbol.name] = fast[-1] / slow[-1] - 1
    return found


@lru_cache(1_000)  # cached by the values, which are the same for most symbols and cycles
def _average(values: tuple[float, ...], period: int) -> list[float]:
    """The exponential average after each of the values from the `period`-th on."""
    averages = [sum(values[:period]) / period]
    for value in values[period:]:
        averages.append((value * 2 + averages[-1] * (period - 1)) / (period + 1))
    return averages


def rsi(symbols: Sequence[OracleSymbol]) -> Matches:
    found = {}
    for symbol in symbols:
        closes = tuple(candle.close for candle in symbol.candles(MINUTE_S, 100, True))
        if len(closes) < 15:
            continue
        strength = _strength(closes)
        if strength < 30 or strength > 70:
            found[symbol.name] = strength
    return found


@lru_cache(1_000)
def _strength(closes: tuple[float, ...]) -> float:
    """Wilder's relative strength index: 100 - 100 / (1 + average gain / average loss), averaged over 14."""
    steps = [after - before for before, after in pairwise(closes)]
    gain = sum(step for step in steps[:14] if step > 0) / 14
    loss = -sum(step for step in steps[:14] if step < 0) / 14
    for step in steps[14:]:
        gain = gain + (max(step, 0) - gain) / 14
        loss = loss + (max(-step, 0) - loss) / 14
    if loss == 0:
        return 100 if gain > 0 else 50
    return 100 - 100 / (1 + gain / loss)


def spread(symbols: Sequence[OracleSymbol]) -> Matches:
    widths = {symbol.name: (symbol.ask - symbol.bid) / ((symbol.ask + symbol.bid) / 2) for symbol in symbols}
    return {name: width for name, width in widths.items() if width >= 0.002}


def top_movers(symbols: Sequence[OracleSymbol]) -> Matches:
    gains = [(symbol.name, symbol.change_24h) for symbol in symbols if symbol.change_24h > 0]
    return dict(sorted(gains, key=lambda gain: gain[1], reverse=True)[:10])


def volume_surge(symbols: Sequence[OracleSymbol]) -> Matches:
    found = {}
    for symbol in symbols:
        volumes = [candle.volume for candle in symbol.candles(MINUTE_S, 31, True)]
        usual = statistics.fmean(volumes[:-1]) if len(volumes) == 31 else 0
        if usual > 0 and volumes[-1] / usual >= 3:
            found[symbol.name] = volumes[-1] / usual
    return found


def busiest(symbols: Sequence[OracleSymbol]) -> Matches:
    candles = {symbol.name: symbol.candles(MINUTE_S, 3, True) for symbol in symbols}
    totals = {name: sum(candle.volume for candle in last) for name, last in candles.items() if last}
    usual, whole = statistics.median(totals.values() or [0]), sum(totals.values())
    watched = [name for name in totals if name[1:2] != "I" and not (name[0] == "T" and name[2:3] == "5")]
    return {name: totals[name] / whole for name in watched if totals[name] > 4 * usual}


def drift(symbols: Sequence[OracleSymbol]) -> Matches:
    found = {}
    for symbol in symbols:
        closes = [candle.close for candle in symbol.candles(300, 6, CLOSED_ONLY)]
        if len(closes) == 6:
            found[symbol.name] = closes[-1] / statistics.fmean(closes) - 1
    return {name: value for name, value in found.items() if abs(value) > 0.001}


def one_sided(symbols: Sequence[OracleSymbol]) -> Matches:
    found: Matches = {}
    for symbol in symbols:
        name, bid, ask = symbol.name, symbol.bid, symbol.ask
        if "03-" in name or "13-" in name or not (any(map(str.isdigit, name)) or fnmatchcase(name, "*[!G]")):
            continue
        if math.isnan(bid) != math.isnan(ask):
            found[name] = 1.0 if math.isnan(bid) else bid
        elif ask <= bid:
            found[name] = 1.0
    return found


RULES = (
    OracleRule("breakout", breakout, score_step=0.002),
    OracleRule("busiest", busiest, score_step=0.02),
    OracleRule("drift", drift, channel=300, score_step=1e-6),
    OracleRule("ma-cross", ma_cross, channel=60, score_step=0.001),
    OracleRule("one-sided", one_sided),
    OracleRule("rsi", rsi, score_step=1.0),
    OracleRule("spread", spread, score_step=0.0005),
    OracleRule("top-movers", top_movers, score_step=0.005),
    OracleRule("volume-surge", volume_surge, score_step=0.5),
)
"""In the order of their files' names, which is the order of their signals."""
