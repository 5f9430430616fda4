"""Traders in plain Python that remember, read references, want every close or keep a pace. Whatever path its passes
take, the engine has to come to the same matches."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.oracles.market_model import ModelSymbol

Numbers = dict[str, float]
Market = dict[str, ModelSymbol]


@dataclass
class SymbolMemory:
    """The numbers that a symbol's evaluations left."""

    seen: int = 0
    before: Numbers = field(default_factory=dict)
    after: Numbers = field(default_factory=dict)


class TraderModel:
    """One trader. `rule(symbol, number of closed candles, references, numbers)` sets numbers and gives a score or
    None."""

    def __init__(
        self,
        first: Numbers,
        rule: Callable[[ModelSymbol, int, dict[str, ModelSymbol | None], Numbers], float | None],
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
        self.memories: dict[str, SymbolMemory] = {}
        self.matches: dict[str, float] = {}
        self.gaps = 0
        self.begin_generation()

    def begin_generation(self) -> None:
        """Begin a generation of the same lineage: any time is allowed for the next pass, and no row counts as
        changed."""
        self._looked_at: dict[str, int] = {}
        self._updates = -1
        self._not_before_ns = self._everything_ns = 0

    def step(self, market: Market, now_ns: int) -> None:
        """Run a pass if there is a reason for one. Everything in the market is announced."""
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

    def _version(self, symbol: ModelSymbol) -> int:
        return len(symbol.closed.get(0, [])) if self._look_back else symbol.updates

    def _evaluate(self, name: str, symbol: ModelSymbol, references: dict[str, ModelSymbol | None], again: bool) -> None:
        memory = self.memories.setdefault(name, SymbolMemory(0, dict(self._first), dict(self._first)))
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
        """Numbers of the closes to evaluate. The first close has the number 1."""
        if not seen:
            return [version]
        oldest = version - self._depth + 1
        held = [n for n in range(seen + 1, version + 1) if max(n - self._look_back + 1, 1) >= oldest]
        self.gaps += version - seen - len(held)
        return held

    def _judge(
        self, name: str, symbol: ModelSymbol, number: int, references: dict[str, ModelSymbol | None], numbers: Numbers
    ) -> None:
        score = self._rule(symbol, number, references, numbers)
        self.matches.pop(name, None)
        if score is not None:
            self.matches[name] = score


# Rules, each written twice: for a plain trader, and for the engine.


def count(symbol: ModelSymbol, _number: int, _references: Any, numbers: Numbers) -> float | None:
    """How many changes of a symbol above ten were seen; adds up the prices."""
    numbers["count"] += 1
    numbers["sum"] += symbol.last
    return numbers["count"] if symbol.last > 10.0 else None


def average(symbol: ModelSymbol, number: int, _references: Any, numbers: Numbers) -> float | None:
    """The exponential average of all closes; a match where the latest two rise and the last is above the average."""
    closes = [candle.close for candle in symbol.closed[0]]
    close = closes[number - 1]
    mean = numbers["mean"]
    numbers["mean"] = close if math.isnan(mean) else 0.5 * mean + 0.5 * close
    rises = number > 1 and close > closes[number - 2]
    return numbers["mean"] if rises and close > numbers["mean"] else None


def ahead(
    symbol: ModelSymbol, _number: int, references: dict[str, ModelSymbol | None], numbers: Numbers
) -> float | None:
    """How often the symbol was seen above the leader; a match where it is above it now."""
    leader = references["B2"]
    if leader is None or not symbol.last > leader.last:
        return None
    numbers["count"] += 1
    return numbers["count"]
