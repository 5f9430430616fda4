"""Tracking diff: runs the traders twice on one market, with tracking and without: the two runs must not differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.messages import Signal
from tickflag.services.replay.hindrances import Hindrance, PlayedMarket
from tickflag.services.replay.lockstep import Lockstep, TraderFailure
from tickflag.services.replay.player import Player


@dataclass(frozen=True, slots=True)
class TrackingDifference:
    """The first difference; where a cycle has several, the first by trader and symbol."""

    trader: str
    symbol: str
    cycle: int
    """The number of the cycle in the trader's channel, as in its signals."""
    time_ms: int
    what: str
    """`match`: the scores differ, where None stands for no match. `signal`: the signals differ."""
    flagged: Any
    full: Any


def without_tracking(settings: Settings) -> Settings:
    """The settings with every symbol processed in every cycle."""
    return settings.model_copy(update={"trader": settings.trader.model_copy(update={"tracking": False})})


class TrackingComparison:
    """`run` plays to the first difference or to the end; then `difference` and the counts hold the result.

    Load the traders of each side separately: what a plugin remembers must not pass between the sides.
    """

    def __init__(self, player: Player, flagged: Lockstep, full: Lockstep) -> None:
        self._player, self._flagged, self._full = player, flagged, full
        player.alarms += [flagged.due_ns, full.due_ns]
        self.difference: TrackingDifference | None = None
        self.signals = 0
        self.cycles = 0

    @property
    def failures(self) -> dict[str, TraderFailure]:
        """Name of each trader that failed in a cycle -> its failure on the side where it failed more often."""
        found = self._flagged.failures
        for name, failure in self._full.failures.items():
            if name not in found or found[name].cycles < failure.cycles:
                found[name] = failure
        return found

    @property
    def refused(self) -> dict[str, str]:
        """Name of each trader that could not run -> why."""
        return self._flagged.refused | self._full.refused

    def hindrances(self, market: PlayedMarket) -> dict[str, Hindrance]:
        """Name of each trader that could give no signal on either side -> why."""
        flagged, full = self._flagged.hindrances(market), self._full.hindrances(market)
        return {name: hindrance for name, hindrance in flagged.items() if name in full}

    def run(self) -> Iterator[None]:
        """Play until a difference; yields after each cycle in which both sides have the same signals and matches."""
        for _ in self._player.play():
            now_ns = self._player.now_ns
            told, told_full = self._flagged.step(now_ns), self._full.step(now_ns)
            self.difference = self._of_matches(now_ns) or self._of_signals(told, told_full)
            if self.difference is not None:
                return
            self.signals += len(told)
            self.cycles = self._player.cycles
            yield

    def _of_matches(self, now_ns: int) -> TrackingDifference | None:
        for trader in sorted({one.name for one in (*self._flagged.traders, *self._full.traders)}):
            flagged, full = self._flagged.matches(trader), self._full.matches(trader)
            if flagged != full:
                symbol = _first_unlike(flagged, full)
                cycle = max(self._flagged.cycle(trader), self._full.cycle(trader))
                time_ms = now_ns // NS_PER_MS
                return TrackingDifference(
                    trader, symbol, cycle, time_ms, "match", flagged.get(symbol), full.get(symbol)
                )
        return None

    def _of_signals(self, flagged: Sequence[Signal], full: Sequence[Signal]) -> TrackingDifference | None:
        for one, other in zip_longest(flagged, full):
            if one != other:
                first: Signal = one or other
                said, said_full = (None if signal is None else _said(signal) for signal in (one, other))
                return TrackingDifference(
                    first.trader, first.symbol, first.cycle, first.time_ms, "signal", said, said_full
                )
        return None


def _said(signal: Signal) -> str:
    note = f" ({signal.note})" if signal.note else ""
    return f"{signal.event} {signal.score:.9g}{note}"


def _first_unlike(one: Mapping[str, float], other: Mapping[str, float]) -> str:
    return min(symbol for symbol in one.keys() | other.keys() if one.get(symbol) != other.get(symbol))
