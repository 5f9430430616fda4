"""Traders that remember, look at references, want every close or keep a pace, in plain Python: what the engine has to
come to, whatever way its passes go."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.market_model import Symbol

Numbers = dict[str, float]
Market = dict[str, Symbol]


@dataclass
class Memory:
    """What one symbol's evaluations left."""

    seen: int = 0
    before: Numbers = field(default_factory=dict)
    after: Numbers = field(default_factory=dict)


class Plain:
    """One trader. `rule(symbol, number of closed candles, references, numbers)` sets numbers and gives a score or
    None."""

    def __init__(
        self,
        first: Numbers,
        rule: Callable[[Symbol, int, dict[str, Symbol | None], Numbers], float | None],
        watch: str = "",
        references: tuple[str, ...] = (),
        look_back: int = 0,
        depth: int = 0,
        min_interval_ns: int = 0,
        every_ns: int = 0,
    ) -> None:
        self._first, self._rule, self._watch = first, rule, watch
        self._references, self._look_back, self._depth = references, look_back, depth
        self._min_interval_ns, self._every_ns = min_interval_ns, every_ns
        self.memories: dict[str, Memory] = {}
        self.matches: dict[str, float] = {}
        self.gaps = 0
        self.begin_generation()

    def begin_generation(self) -> None:
        """One that grew out of the one before: every time is right, and no row counts as changed."""
        self._looked_at: dict[str, int] = {}
        self._updates = -1
        self._not_before_ns = self._everything_ns = 0

    def step(self, market: Market, now_ns: int) -> None:
        """A pass, if there is reason for one. Everything in the market is announced."""
        updates = sum(symbol.updates for symbol in market.values())
        everything = self._every_ns > 0 and now_ns >= self._everything_ns
        if now_ns < self._not_before_ns or not (everything or updates != self._updates):
            return
        self._updates = updates
        if everything:
            self._everything_ns = now_ns + self._every_ns
        if self._min_interval_ns:
            self._not_before_ns = now_ns + self._min_interval_ns
        references = {name: market.get(name) for name in self._references}
        looked_at = {name: self._version(symbol) for name, symbol in references.items() if symbol is not None}
        again = looked_at != self._looked_at
        self._looked_at = looked_at
        for name, symbol in market.items():
            if name.startswith(self._watch) and self._version(symbol):
                self._evaluate(name, symbol, references, again)

    def _version(self, symbol: Symbol) -> int:
        return len(symbol.closed.get(0, [])) if self._look_back else symbol.updates

    def _evaluate(self, name: str, symbol: Symbol, references: dict[str, Symbol | None], again: bool) -> None:
        memory = self.memories.setdefault(name, Memory(0, dict(self._first), dict(self._first)))
        version = self._version(symbol)
        if version == memory.seen:
            if again:
                self._judge(name, symbol, version, references, dict(memory.before))
            return
        for number in self._closes(memory.seen, version) if self._look_back else [version]:
            memory.before = dict(memory.after)
            self._judge(name, symbol, number, references, memory.after)
        memory.seen = version

    def _closes(self, seen: int, version: int) -> list[int]:
        """Numbers of the closes to evaluate, the first one being 1."""
        if not seen:
            return [version]
        oldest = version - self._depth + 1
        held = [n for n in range(seen + 1, version + 1) if max(n - self._look_back + 1, 1) >= oldest]
        self.gaps += version - seen - len(held)
        return held

    def _judge(
        self, name: str, symbol: Symbol, number: int, references: dict[str, Symbol | None], numbers: Numbers
    ) -> None:
        score = self._rule(symbol, number, references, numbers)
        self.matches.pop(name, None)
        if score is not None:
            self.matches[name] = score


# Rules, each said twice: for a plain trader, and for the engine.


def count(symbol: Symbol, _number: int, _references: Any, numbers: Numbers) -> float | None:
    """How many changes were seen, of symbols above ten; adds up the prices."""
    numbers["count"] += 1
    numbers["sum"] += symbol.last
    return numbers["count"] if symbol.last > 10.0 else None


def average(symbol: Symbol, number: int, _references: Any, numbers: Numbers) -> float | None:
    """The exponential average of all closes, where the latest two rise and the last is above it."""
    closes = [candle.close for candle in symbol.closed[0]]
    close = closes[number - 1]
    mean = numbers["mean"]
    numbers["mean"] = close if math.isnan(mean) else 0.5 * mean + 0.5 * close
    rises = number > 1 and close > closes[number - 2]
    return numbers["mean"] if rises and close > numbers["mean"] else None


def ahead(symbol: Symbol, _number: int, references: dict[str, Symbol | None], numbers: Numbers) -> float | None:
    """How often it was seen above the leader, where it is so now."""
    leader = references["B2"]
    if leader is None or not symbol.last > leader.last:
        return None
    numbers["count"] += 1
    return numbers["count"]
