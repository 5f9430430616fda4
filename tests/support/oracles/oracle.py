"""The oracle of a replay: every rule evaluated over all symbols after every cycle, without any of the engine's code.

It models a replay without rate limit and without a least time between swaps: a cycle follows all rows that were
known at the same time, and another one follows whenever the watermark closes a candle. The final matches are right
for any settings.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.oracles.oracle_market import OracleMarket
from tests.support.oracles.oracle_rows import Kline, read
from tests.support.oracles.oracle_rules import RULES, Matches, OracleRule
from tickflag.common.units import NS_PER_MS, NS_PER_S

KEPT_S = (60, 300, 900, 3_600)
WATERMARK_NS = 2 * NS_PER_S


@dataclass(frozen=True)
class OracleSignal:
    trader: str
    symbol: str
    event: str
    score: float
    time_ms: int
    cycle: int


@dataclass
class _OracleTrader:
    rule: OracleRule
    matches: Matches = field(default_factory=dict)
    told: Matches = field(default_factory=dict)
    """The scores of the last signals."""
    began: bool = False


class Oracle:
    """Call `run` once; then `signals`, `matches`, `cycles` and `market` hold what came of the recordings."""

    def __init__(self, paths: Sequence[Path], rules: Iterable[OracleRule] = RULES) -> None:
        self._rows = read(paths)
        kept_s = {*KEPT_S, *(row.interval_s for row in self._rows if isinstance(row, Kline))}
        parquet = not any(path.suffix == ".gz" for path in paths)
        covered_ns = min(row.start_ns if parquet and isinstance(row, Kline) else row.known_ns for row in self._rows)
        self.market = OracleMarket(kept_s, covered_ns)
        self._step_ns = math.gcd(*kept_s) * NS_PER_S
        self._traders = [_OracleTrader(rule) for rule in rules]
        self._closed: dict[int, int] = {}
        """Channel -> its last closed cycle."""
        self.cycles = 0
        self.signals: list[OracleSignal] = []

    @property
    def matches(self) -> dict[str, Matches]:
        return {trader.rule.name: trader.matches for trader in self._traders}

    def run(self) -> "Oracle":
        watermark_ns = (self._rows[0].known_ns - WATERMARK_NS) // self._step_ns * self._step_ns
        for known_ns, rows in itertools.groupby(self._rows, key=lambda row: row.known_ns):
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
                self.signals += self._changes(trader, now_ns // NS_PER_MS)

    def _changes(self, trader: _OracleTrader, time_ms: int) -> Iterator[OracleSignal]:
        """Evaluate the rule; gives what left, what entered and whose score moved, each in the order of names."""
        name, cycle = trader.rule.name, self._closed.get(trader.rule.channel, 0)
        before, after = trader.matches, trader.rule.matches(list(self.market.symbols.values()))
        trader.matches = after
        for symbol in sorted(before.keys() - after.keys()):
            del trader.told[symbol]
            yield OracleSignal(name, symbol, "left", before[symbol], time_ms, cycle)
        for symbol in sorted(after.keys() - before.keys()):
            trader.told[symbol] = after[symbol]
            yield OracleSignal(name, symbol, "entered", after[symbol], time_ms, cycle)
        for symbol in sorted(after.keys() & before.keys()):
            if abs(after[symbol] - trader.told[symbol]) > trader.rule.score_step:
                trader.told[symbol] = after[symbol]
                yield OracleSignal(name, symbol, "score", after[symbol], time_ms, cycle)
