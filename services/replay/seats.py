"""Seats: traders at a market in lock-step, and what the collector would make of their results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from common.codec import decode
from common.errors import PluginError, SegmentError
from common.messages import Delta, Signal, Snapshot
from common.segment import Segment
from common.settings import Settings
from common.traderapi import Trader
from services.collector.control import ControlState
from services.collector.views import Views
from services.trader.matches import MatchSet
from services.trader.plugin import Plugin
from services.trader.results import Results, Tally
from services.trader.runner import Runner
from services.trader.switches import Switches


@dataclass(frozen=True, slots=True)
class Failure:
    """In how many cycles a trader failed, and what it failed with in the first."""

    cycles: int
    first: str


class _Seat:
    """One trader's place: its runner and what it counts."""

    def __init__(self, plugin: Plugin, settings: Settings, segment: Segment, send: Callable[[bytes], bool]) -> None:
        self.trader = plugin.trader
        self.fault = ""
        """What its last step failed with."""
        self.failure: Failure | None = None
        self.tally = Tally()
        matches = MatchSet()
        results = Results(
            self.trader.name, 1, matches, self.tally, send,
            settings.trader.deltas, settings.trader.compress_from_bytes, self.trader.score_step,
        )  # fmt: skip
        self.runner = Runner(segment, plugin, settings.trader, matches, results, self.tally)
        Switches(self.trader, settings.flags).apply(settings.trader, plugin, results, self.runner)


class Seats:
    """`step` them after each cycle. The segment is the caller's; close it only when the seats are no longer used.

    `on_fault` hears of a trader that cannot run, which gets no seat, and of one that failed in a cycle.
    """

    def __init__(
        self, settings: Settings, segment: Segment, plugins: Sequence[Plugin], on_fault: Callable[[str], None]
    ) -> None:
        self._on_fault = on_fault
        self._views = Views(ControlState(), 1 << 62)
        self._frames: list[bytes] = []
        self._seats: list[_Seat] = []
        self.refused: dict[str, str] = {}
        """Of the traders without a seat, by name: why."""
        self.seq = 0
        """Signals so far."""
        for plugin in plugins:
            try:
                self._seats.append(_Seat(plugin, settings, segment, self._take))
            except (SegmentError, ValueError) as error:
                self.refused[plugin.trader.name] = str(error)
                on_fault(f"trader {plugin.trader.name!r} does not run: {error}")
        self._paced = [seat for seat in self._seats if seat.trader.min_interval or seat.trader.every]

    @property
    def traders(self) -> list[Trader]:
        """Those that have a seat."""
        return [seat.trader for seat in self._seats]

    @property
    def tallies(self) -> list[Tally]:
        """In the order of `traders`."""
        return [seat.tally for seat in self._seats]

    @property
    def failures(self) -> dict[str, Failure]:
        """Of the traders that failed in a cycle, by name."""
        return {seat.trader.name: seat.failure for seat in self._seats if seat.failure is not None}

    def step(self, now_ns: int) -> list[Signal]:
        """A step of every trader for which something was announced; gives the signals in their order."""
        for seat in self._seats:
            if seat.runner.pending(now_ns):
                try:
                    seat.runner.step(now_ns, now_ns)
                except PluginError as error:
                    seat.runner.fail()
                    before = seat.failure
                    seat.failure = Failure(before.cycles + 1, before.first) if before else Failure(1, str(error))
                    if str(error) != seat.fault:  # the same fault again and again is told once
                        self._on_fault(str(error))
                    seat.fault = str(error)
                else:
                    seat.fault = ""
        return self._signals(now_ns)

    def due_ns(self, after_ns: int) -> int | None:
        """When, after that time, a trader has something to do without any cycle; None for never."""
        due = (seat.runner.due_ns() for seat in self._paced)
        return min((due_ns for due_ns in due if due_ns is not None and due_ns > after_ns), default=None)

    def matches(self, trader: str) -> Mapping[str, float]:
        """Symbol -> score, as the collector sees them now. Not to be changed."""
        known = self._views.known.get(trader)
        return known.view.matches if known else {}

    def all_matches(self) -> dict[str, dict[str, float]]:
        """Of every trader that reported, sorted."""
        return {name: dict(sorted(known.view.matches.items())) for name, known in sorted(self._views.known.items())}

    def cycle(self, trader: str) -> int:
        """The last cycle of the trader's channel that it covered; 0 for one without a seat."""
        return next((seat.runner.done for seat in self._seats if seat.trader.name == trader), 0)

    def _take(self, frame: bytes) -> bool:
        self._frames.append(frame)
        return True

    def _signals(self, now_ns: int) -> list[Signal]:
        """Results as frames, to the collector's views, to signals."""
        frames, self._frames[:] = self._frames[:], []
        signals = []
        for frame in frames:
            message = decode(frame)
            assert isinstance(message, Snapshot | Delta)
            for draft in self._views.apply(message, now_ns):
                self.seq += 1
                signals.append(Signal(seq=self.seq, **draft._asdict()))
        return signals
