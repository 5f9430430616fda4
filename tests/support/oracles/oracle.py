"""The oracle of a replay: every rule evaluated over all symbols after every cycle, without any of the engine's code.

It stands for a replay without rate limit and least time between swaps: a cycle after all rows of one kind that were
known at the same time, and one whenever the watermark closed a candle. What is left at the end is right for any
settings.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.oracle_market import Market
from tests.support.oracle_rows import MS, SECOND, Kline, Row, read
from tests.support.oracle_rules import RULES, Matches, Rule

KEPT_S = (60, 300, 900, 3_600)
WATERMARK_NS = 2 * SECOND


@dataclass(frozen=True)
class Signal:
    trader: str
    symbol: str
    event: str
    score: float
    time_ms: int
    cycle: int


@dataclass
class _Trader:
    rule: Rule
    matches: Matches = field(default_factory=dict)
    told: Matches = field(default_factory=dict)
    """Scores of the last signals."""
    began: bool = False


class Oracle:
    """`run` it once; then `signals`, `matches`, `cycles` and `market` hold what came of the recordings."""

    def __init__(self, paths: Sequence[Path], rules: Iterable[Rule] = RULES) -> None:
        self._rows = read(paths)
        brought_s = {row.interval_s for row in self._rows if isinstance(row, Kline)}
        self.market = Market(KEPT_S, brought_s)
        self._step_ns = math.gcd(*KEPT_S, *brought_s) * SECOND
        self._traders = [_Trader(rule) for rule in rules]
        self._closed: dict[int, int] = {}
        """Channel -> its last cycle."""
        self.cycles = 0
        self.signals: list[Signal] = []

    @property
    def matches(self) -> dict[str, Matches]:
        return {trader.rule.name: trader.matches for trader in self._traders}

    def run(self) -> "Oracle":
        watermark_ns = (self._rows[0].known_ns - WATERMARK_NS) // self._step_ns * self._step_ns
        for (known_ns, _), rows in itertools.groupby(self._rows, key=_moment):
            while watermark_ns + self._step_ns + WATERMARK_NS <= known_ns:
                watermark_ns += self._step_ns
                self.market.close_until(watermark_ns)
                self._cycle(watermark_ns + WATERMARK_NS)
            for row in rows:
                self.market.apply(row)
            self._cycle(known_ns)
        return self

    def _cycle(self, now_ns: int) -> None:
        touched = set(self.market.touched)
        self.market.touched.clear()
        if not touched:
            return
        self.cycles += 1
        for channel in touched:
            self._closed[channel] = self._closed.get(channel, 0) + 1
        for trader in self._traders:
            if trader.rule.channel in touched or not trader.began:
                trader.began = True
                self.signals += self._changes(trader, now_ns // MS)

    def _changes(self, trader: _Trader, time_ms: int) -> Iterator[Signal]:
        """Evaluate the rule; what left, what entered, whose score moved, each by name."""
        name, cycle = trader.rule.name, self._closed.get(trader.rule.channel, 0)
        before, after = trader.matches, trader.rule.matches(list(self.market.symbols.values()))
        trader.matches = after
        for symbol in sorted(before.keys() - after.keys()):
            del trader.told[symbol]
            yield Signal(name, symbol, "left", before[symbol], time_ms, cycle)
        for symbol in sorted(after.keys() - before.keys()):
            trader.told[symbol] = after[symbol]
            yield Signal(name, symbol, "entered", after[symbol], time_ms, cycle)
        for symbol in sorted(after.keys() & before.keys()):
            if abs(after[symbol] - trader.told[symbol]) > trader.rule.score_step:
                trader.told[symbol] = after[symbol]
                yield Signal(name, symbol, "score", after[symbol], time_ms, cycle)


def _moment(row: Row) -> tuple[Any, ...]:
    return row.known_ns, type(row)
