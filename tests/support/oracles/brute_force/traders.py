"""Traders in plain Python: they give what those of `tests/support/markets/measuring_traders.py` must give."""

import bisect
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.support.oracles.brute_force.candles import BruteInterval
from tests.support.oracles.brute_force.market import BruteSymbol
from tests.support.oracles.brute_force.rows import length_ns

NAN = math.nan
MS = 1_000_000
Symbols = Mapping[str, BruteSymbol]
Answer = tuple[float, str]
"""Score, NaN for no match, and note."""


class BruteSignal(NamedTuple):
    trader: str
    symbol: str
    event: str
    score: float
    time_ms: int
    cycle: int
    note: str


@dataclass
class BruteTrader(ABC):
    """A trader's matches and what it saw last. `channel_ns` is 0 for the ticker, else an interval."""

    name: str
    channel_ns: int = 0
    began: bool = False
    seen: dict[str, int] = field(default_factory=dict)
    matches: dict[str, Answer] = field(default_factory=dict)

    @abstractmethod
    def judge(self, symbols: Symbols, changed: list[str]) -> dict[str, Answer]:
        """The answers of the symbols that the trader is asked about; `changed` are those with a new version."""

    def version(self, symbol: BruteSymbol) -> int:
        return len(symbol.intervals[self.channel_ns].closed) if self.channel_ns else symbol.updates

    def step(self, symbols: Symbols, flagged: Iterable[str] | None, cycle: int, now_ns: int) -> Iterator[BruteSignal]:
        """The first step looks at everything, later ones at what is flagged; none without a flag."""
        if not self.began:
            flagged = symbols
            self.began = True
        elif flagged is None:
            return
        changed = [name for name in sorted(flagged) if self.version(symbols[name]) != self.seen.get(name, 0)]
        answers = self.judge(symbols, changed)
        self.seen |= {name: self.version(symbols[name]) for name in changed}
        yield from self._signals(answers, cycle, now_ns // MS)

    def _signals(self, answers: Mapping[str, Answer], cycle: int, time_ms: int) -> Iterator[BruteSignal]:
        groups: dict[str, list[BruteSignal]] = {"left": [], "entered": [], "score": []}
        for name, (score, note) in sorted(answers.items()):
            before = self.matches.get(name)
            if math.isnan(score):
                if before is not None:
                    del self.matches[name]
                    groups["left"].append(BruteSignal(self.name, name, "left", before[0], time_ms, cycle, ""))
            elif before is None or before[0] != score:
                event = "entered" if before is None else "score"
                self.matches[name] = score, note
                groups[event].append(BruteSignal(self.name, name, event, score, time_ms, cycle, note))
        for signals in groups.values():
            yield from signals


def numbers_note(numbers: Iterable[float]) -> str:
    """Numbers so that none loses a digit."""
    return " ".join(map(repr, map(float, numbers)))


@dataclass
class Noting(BruteTrader):
    """The score counts a symbol's changes; the note has its numbers."""

    counts: dict[str, int] = field(default_factory=dict)

    def judge(self, symbols: Symbols, changed: list[str]) -> dict[str, Answer]:
        answers = {}
        for name in changed:
            self.counts[name] = self.counts.get(name, 0) + self.steps(symbols[name])
            answers[name] = float(self.counts[name]), numbers_note(self.numbers(symbols[name]))
        return answers

    def steps(self, _symbol: BruteSymbol) -> int:
        return 1

    @abstractmethod
    def numbers(self, symbol: BruteSymbol) -> Iterable[float]:
        """What the note has."""


class RowTrader(Noting):
    def numbers(self, symbol: BruteSymbol) -> Iterable[float]:
        return (
            symbol.last, symbol.last_size, symbol.bid, symbol.ask, symbol.bid_size, symbol.ask_size,
            symbol.event_ns % 10**15,
        )  # fmt: skip


class DayTrader(Noting):
    def numbers(self, symbol: BruteSymbol) -> Iterable[float]:
        return symbol.volume, *symbol.day.numbers, symbol.change_24h


@dataclass
class FormingTrader(Noting):
    interval_ns: int = 0

    def numbers(self, symbol: BruteSymbol) -> Iterable[float]:
        interval = symbol.intervals[self.interval_ns]
        return interval.forming_row or (interval.closed[-1] if interval.closed else [NAN] * 7)


class CandleTrader(Noting):
    """Asked about every candle that closed. Of a symbol that it never saw only the latest counts."""

    def steps(self, symbol: BruteSymbol) -> int:
        before = self.seen.get(symbol.name, 0)
        return self.version(symbol) - before if before else 1

    def numbers(self, symbol: BruteSymbol) -> Iterable[float]:
        return symbol.intervals[self.channel_ns].closed[-1]


@dataclass
class SumOfCloses(BruteTrader):
    """Adds up close and volume of every candle that closed."""

    sums: dict[str, float] = field(default_factory=dict)

    def judge(self, symbols: Symbols, changed: list[str]) -> dict[str, Answer]:
        return {name: (self._advance(name, symbols[name].intervals[self.channel_ns]), "") for name in changed}

    def _advance(self, name: str, interval: BruteInterval) -> float:
        for row in interval.closed[self.seen.get(name) or -1 :]:
            for number in (row[4], row[5]):
                self.sums[name] = self.sums.get(name, 0.0) + (0.0 if math.isnan(number) else number)
        return self.sums[name]


@dataclass
class SumOfPrices(BruteTrader):
    """Adds up the last price at each change."""

    sums: dict[str, float] = field(default_factory=dict)

    def judge(self, symbols: Symbols, changed: list[str]) -> dict[str, Answer]:
        for name in changed:
            last = symbols[name].last
            self.sums[name] = self.sums.get(name, 0.0) + (0.0 if math.isnan(last) else last)
        return {name: (self.sums[name], "") for name in changed}


@dataclass
class Ranking(BruteTrader):
    """How many symbols have a greater value: of `last`, or of `change_24h`."""

    value: str = "last"
    values: dict[str, float] = field(default_factory=dict)
    """As they were when the symbol was flagged last."""

    def judge(self, symbols: Symbols, changed: list[str]) -> dict[str, Answer]:
        self.values |= {name: getattr(symbols[name], self.value) for name in changed}
        known = sorted(value for value in self.values.values() if not math.isnan(value))
        return {
            name: (NAN if math.isnan(value) else float(len(known) - bisect.bisect_right(known, value)), "")
            for name, value in self.values.items()
        }


@dataclass
class Relative(BruteTrader):
    """The last price divided by that of the reference."""

    reference: str = ""
    committed: int = 0

    def judge(self, symbols: Symbols, changed: list[str]) -> dict[str, Answer]:
        reference = symbols.get(self.reference)
        version = 0 if reference is None else reference.updates
        asked = changed
        if version != self.committed:
            self.committed = version
            asked = [name for name, symbol in symbols.items() if symbol.updates]
            self.seen |= {name: symbols[name].updates for name in asked}
        base = NAN if reference is None else reference.last
        return {name: (symbols[name].last / base, "") for name in asked}


def measuring_cast(reference: str, intervals: Iterable[str] = ("1m", "5m", "1h")) -> list[BruteTrader]:
    """The traders, in the order of their files' names."""
    every = list(intervals)
    first = length_ns(every[0])
    candles: list[BruteTrader] = [CandleTrader(f"candles-{one}", length_ns(one)) for one in every]
    return [
        *sorted(candles, key=lambda trader: trader.name), DayTrader("day"), SumOfCloses("every-close", first),
        FormingTrader("forming", interval_ns=first), Ranking("rank-change", value="change_24h"), Ranking("rank-last"),
        Relative("relative", reference=reference), RowTrader("row"), SumOfPrices("sum-of-prices"),
    ]  # fmt: skip
