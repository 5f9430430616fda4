"""Plays rows moment by moment: what is announced, when cycles close, and when candles close without a trade."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from tests.support.oracles.brute_force.figures import HOUR
from tests.support.oracles.brute_force.files import read_recordings
from tests.support.oracles.brute_force.market import BruteMarket
from tests.support.oracles.brute_force.rows import DAY, SECOND, WEEK, BruteKline, BruteRow, length_ns
from tests.support.oracles.brute_force.traders import BruteSignal, BruteTrader

TICKER = 0
NEVER = 1 << 62


@dataclass(frozen=True)
class BrutePace:
    """The settings of the feed that say when something is due, ns."""

    min_swap_ns: int = 0
    rate_limit_ns: int = 0
    watermark_ns: int = 2 * SECOND


@dataclass
class BruteReplay:
    """Call `run` once; then `signals` and `market` hold what came of it."""

    rows: Sequence[BruteRow]
    intervals: Iterable[str]
    traders: Sequence[BruteTrader]
    pace: BrutePace = BrutePace()
    cycles: int = 0
    signals: list[BruteSignal] = field(default_factory=list)

    def __post_init__(self) -> None:
        brought = {row.length_ns for row in self.rows if isinstance(row, BruteKline)}
        lengths = {length_ns(interval) for interval in self.intervals} | brought
        self.market = BruteMarket(self.rows, lengths)
        # Weeks begin on a Monday, four days after the beginning of 1970; the 24 h figures age by the hour.
        offsets = [4 * DAY for length in lengths if length % WEEK == 0]
        self._step_ns = math.gcd(HOUR, *lengths, *offsets)
        self._flags: dict[int, set[str]] = {}
        self._closed_cycles: dict[int, int] = {}
        self._announced: dict[str, int] = {}
        self._deferred: set[str] = set()
        self._free_ns = self._watermark_due_ns = 0

    def run(self) -> "BruteReplay":
        moments = [(time_ns, list(rows)) for time_ns, rows in groupby(self.rows, lambda row: row.known_ns)]
        now_ns = at = 0
        while at < len(moments):
            time_ns = moments[at][0]
            due_ns = max(self._due_ns(), now_ns) if now_ns else NEVER
            if due_ns <= time_ns:
                now_ns = due_ns
            else:
                until = at + 1
                if self._free_ns > time_ns:
                    while until < len(moments) and moments[until][0] < min(self._free_ns, due_ns):
                        until += 1
                now_ns = moments[until - 1][0]
                for _, rows in moments[at:until]:
                    self._apply(rows, now_ns)
                at = until
            self._turn(now_ns)
        self._announce(now_ns, everything=True)
        self._swap(now_ns)
        return self

    def _due_ns(self) -> int:
        """When something is due without a further row."""
        due = [self._watermark_due_ns, *(self._announced[name] + self.pace.rate_limit_ns for name in self._deferred)]
        if any(self._flags.values()):
            due.append(self._free_ns)
        return min(due)

    def _apply(self, rows: Iterable[BruteRow], now_ns: int) -> None:
        for row in rows:
            closed = self.market.apply(row)
            if closed is not None:
                self._touch(row.symbol, closed, now_ns)

    def _touch(self, name: str, closed: Iterable[int], now_ns: int) -> None:
        for channel in closed:
            self._flags.setdefault(channel, set()).add(name)
        if name in self._flags.setdefault(TICKER, set()):
            return
        if name in self._announced and now_ns - self._announced[name] < self.pace.rate_limit_ns:
            self._deferred.add(name)
        else:
            self._flag(name, now_ns)

    def _flag(self, name: str, now_ns: int) -> None:
        self._deferred.discard(name)
        self._announced[name] = now_ns
        self._flags.setdefault(TICKER, set()).add(name)

    def _announce(self, now_ns: int, everything: bool = False) -> None:
        for name in sorted(self._deferred):
            if everything or self._announced[name] + self.pace.rate_limit_ns <= now_ns:
                self._flag(name, now_ns)

    def _turn(self, now_ns: int) -> None:
        self._announce(now_ns)
        if now_ns >= self._watermark_due_ns:
            passed_ns = (now_ns - self.pace.watermark_ns) // self._step_ns * self._step_ns
            for name, symbol in sorted(self.market.symbols.items()):
                closed = symbol.close_until(passed_ns)
                if closed is not None:
                    symbol.updates += 1
                    self._touch(name, closed, now_ns)
            self._watermark_due_ns = passed_ns + self._step_ns + self.pace.watermark_ns
        if any(self._flags.values()) and now_ns >= self._free_ns:
            self._swap(now_ns)

    def _swap(self, now_ns: int) -> None:
        """Close the cycle of each channel with flags, and let the traders look."""
        self._free_ns = now_ns + self.pace.min_swap_ns
        flags = {channel: names for channel, names in self._flags.items() if names}
        self._flags = {}
        if not flags:
            return
        self.cycles += 1
        for channel in flags:
            self._closed_cycles[channel] = self._closed_cycles.get(channel, 0) + 1
        for trader in self.traders:
            cycle = self._closed_cycles.get(trader.channel_ns, 0)
            self.signals += trader.step(self.market.symbols, flags.get(trader.channel_ns), cycle, now_ns)


def brute_signals(
    paths: Iterable[Path],
    intervals: Iterable[str],
    traders: Callable[[str], Sequence[BruteTrader]] | Sequence[BruteTrader],
    pace: BrutePace = BrutePace(),
) -> BruteReplay:
    """The replay of recordings. `traders` may depend on the first symbol by name."""
    rows, _ = read_recordings(paths)
    cast = traders(min(row.symbol for row in rows)) if callable(traders) else traders
    return BruteReplay(rows, intervals, cast, pace).run()
