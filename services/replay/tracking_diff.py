"""Against: the traders twice at one market, with tracking and without; what they make of it must be the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from common.messages import Signal
from common.settings import Settings
from services.replay.player import Player
from services.replay.seats import Failure, Seats


@dataclass(frozen=True, slots=True)
class Difference:
    """The first one found; of several in a cycle the first by trader and symbol."""

    trader: str
    symbol: str
    cycle: int
    """Of the trader's channel, as signals tell it."""
    time_ms: int
    what: str
    """`match`: the scores differ, None where the symbol does not match. `signal`: what was told differs."""
    flagged: Any
    full: Any


def without_tracking(settings: Settings) -> Settings:
    """The same with every symbol processed in every cycle."""
    return settings.model_copy(update={"trader": settings.trader.model_copy(update={"tracking": False})})


class Comparison:
    """`run` to the end or to the first difference; then `difference` and the counts.

    The traders of the two seats must be loaded separately: what a plugin remembers must not pass between them.
    """

    def __init__(self, player: Player, flagged: Seats, full: Seats) -> None:
        self._player, self._flagged, self._full = player, flagged, full
        player.alarms += [flagged.due_ns, full.due_ns]
        self.difference: Difference | None = None
        self.signals = 0
        self.cycles = 0

    @property
    def failures(self) -> dict[str, Failure]:
        """Of the traders that failed in a cycle, by name; where both sides failed, of the side that did more often."""
        found = self._flagged.failures
        for name, failure in self._full.failures.items():
            if name not in found or found[name].cycles < failure.cycles:
                found[name] = failure
        return found

    @property
    def refused(self) -> dict[str, str]:
        """Of the traders that could not run, by name: why."""
        return self._flagged.refused | self._full.refused

    def run(self) -> Iterator[None]:
        """A cycle each time; both sides have the same matches and told the same until then."""
        for _ in self._player.play():
            now_ns = self._player.now_ns
            told, told_full = self._flagged.step(now_ns), self._full.step(now_ns)
            self.difference = self._of_matches(now_ns) or self._of_signals(told, told_full)
            if self.difference is not None:
                return
            self.signals += len(told)
            self.cycles = self._player.cycles
            yield

    def _of_matches(self, now_ns: int) -> Difference | None:
        for trader in sorted({one.name for one in (*self._flagged.traders, *self._full.traders)}):
            flagged, full = self._flagged.matches(trader), self._full.matches(trader)
            if flagged != full:
                symbol = _first_unlike(flagged, full)
                cycle = max(self._flagged.cycle(trader), self._full.cycle(trader))
                time_ms = now_ns // 1_000_000
                return Difference(trader, symbol, cycle, time_ms, "match", flagged.get(symbol), full.get(symbol))
        return None

    def _of_signals(self, flagged: Sequence[Signal], full: Sequence[Signal]) -> Difference | None:
        for one, other in zip_longest(flagged, full):
            if one != other:
                first: Signal = one or other
                said, said_full = (None if signal is None else _said(signal) for signal in (one, other))
                return Difference(first.trader, first.symbol, first.cycle, first.time_ms, "signal", said, said_full)
        return None


def _said(signal: Signal) -> str:
    note = f" ({signal.note})" if signal.note else ""
    return f"{signal.event} {signal.score:.9g}{note}"


def _first_unlike(one: Mapping[str, float], other: Mapping[str, float]) -> str:
    return min(symbol for symbol in one.keys() | other.keys() if one.get(symbol) != other.get(symbol))
