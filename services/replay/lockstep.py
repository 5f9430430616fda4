"""Lockstep: steps traders after each cycle of a market, and makes the signals that the collector would make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from tickflag.common.errors import PluginError, SegmentError
from tickflag.common.segment.segment import Segment
from tickflag.common.settings import Settings
from tickflag.common.traderapi import Trader
from tickflag.common.wire.codec import decode
from tickflag.common.wire.messages import Delta, Signal, Snapshot
from tickflag.services.collector.views.resync_requests import ResyncRequests
from tickflag.services.collector.views.views import Views
from tickflag.services.replay.hindrances import Hindrance, PlayedMarket
from tickflag.services.trader.evaluation.assembly import assemble
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.evaluation.results import Tally
from tickflag.services.trader.evaluation.runner import Runner


@dataclass(frozen=True, slots=True)
class TraderFailure:
    """The number of cycles in which a trader failed, and the fault in the first of them."""

    cycles: int
    first: str


class _SteppedTrader:
    """One trader with its runner, its counts and its failures."""

    def __init__(self, plugin: Plugin, settings: Settings, segment: Segment, send: Callable[[bytes], bool]) -> None:
        self.trader = plugin.trader
        self.fault = ""
        """The fault of the last step; empty where that step succeeded."""
        self.failure: TraderFailure | None = None
        parts = assemble(plugin, settings.trader, settings.flags, send)
        self.tally = parts.tally
        self.runner = Runner(segment, parts)


class Lockstep:
    """Call `step` after each cycle. The caller owns the segment, and closes it after the last step.

    `on_fault` is told of a trader that cannot run, which is left out, and of a trader that failed in a cycle.
    """

    def __init__(
        self, settings: Settings, segment: Segment, plugins: Sequence[Plugin], on_fault: Callable[[str], None]
    ) -> None:
        self._on_fault = on_fault
        self._views = Views(ResyncRequests(count(1).__next__), 1 << 62)
        self._frames: list[bytes] = []
        self._traders: list[_SteppedTrader] = []
        self.refused: dict[str, str] = {}
        """Name of each trader that was left out -> the reason."""
        self.seq = 0
        """Number of the last signal."""
        self._matched: set[str] = set()  # the traders with at least one signal
        for plugin in plugins:
            try:
                self._traders.append(_SteppedTrader(plugin, settings, segment, self._receive))
            except (SegmentError, ValueError) as error:
                self.refused[plugin.trader.name] = str(error)
                on_fault(f"trader {plugin.trader.name!r} does not run: {error}")
        self._paced = [one for one in self._traders if one.trader.min_interval or one.trader.every]

    @property
    def traders(self) -> list[Trader]:
        """The declarations of the traders that run."""
        return [one.trader for one in self._traders]

    @property
    def tallies(self) -> list[Tally]:
        """The counts of each trader, in the order of `traders`."""
        return [one.tally for one in self._traders]

    @property
    def failures(self) -> dict[str, TraderFailure]:
        """Name of each trader that failed in a cycle -> its failure."""
        return {one.trader.name: one.failure for one in self._traders if one.failure is not None}

    def hindrances(self, market: PlayedMarket) -> dict[str, Hindrance]:
        """Name of each trader that gave no signal and could give none -> why; without traders that failed."""
        found = {}
        for one in self._traders:
            if one.failure is None and one.trader.name not in self._matched:
                hindrance = market.hindrance(one.trader, one.tally.processed)
                if hindrance is not None:
                    found[one.trader.name] = hindrance
        return found

    def step(self, now_ns: int) -> list[Signal]:
        """Step every trader that has something to do; gives the signals in their order."""
        for one in self._traders:
            if one.runner.pending(now_ns):
                try:
                    one.runner.step(now_ns, now_ns)
                except PluginError as error:
                    one.runner.fail()
                    before = one.failure
                    one.failure = (
                        TraderFailure(before.cycles + 1, before.first) if before else TraderFailure(1, str(error))
                    )
                    if str(error) != one.fault:  # the same fault in the next step is not told again
                        self._on_fault(str(error))
                    one.fault = str(error)
                else:
                    one.fault = ""
        return self._signals(now_ns)

    def due_ns(self, after_ns: int) -> int | None:
        """The first time after `after_ns` at which a trader must step even without a new cycle; None for never."""
        due = (one.runner.due_ns() for one in self._paced)
        return min((due_ns for due_ns in due if due_ns is not None and due_ns > after_ns), default=None)

    def matches(self, trader: str) -> Mapping[str, float]:
        """Symbol -> score of the trader's matches, as the collector sees them now. Not to be changed."""
        record = self._views.records.get(trader)
        return record.view.matches if record else {}

    def all_matches(self) -> dict[str, dict[str, float]]:
        """The matches of every trader that sent a result, sorted by trader and symbol."""
        return {name: dict(sorted(one.view.matches.items())) for name, one in sorted(self._views.records.items())}

    def cycle(self, trader: str) -> int:
        """The last cycle of its channel that the trader covered; 0 for a trader that does not run."""
        return next((one.runner.done for one in self._traders if one.trader.name == trader), 0)

    def _receive(self, frame: bytes) -> bool:
        self._frames.append(frame)
        return True

    def _signals(self, now_ns: int) -> list[Signal]:
        """The signals that the collector's views make of the results received since the last call."""
        frames, self._frames[:] = self._frames[:], []
        signals = []
        for frame in frames:
            message = decode(frame)
            assert isinstance(message, Snapshot | Delta)
            for signal in self._views.apply(message, now_ns):
                self.seq += 1
                self._matched.add(signal.trader)
                signals.append(Signal(seq=self.seq, **signal._asdict()))
        return signals
