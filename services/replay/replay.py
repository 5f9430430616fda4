"""Replay: recordings through the live code, in one process without sockets, in the recording's time.

Turns, segment, update protocol, traders and results are the live code. After each swap every trader steps. The same
input gives the same signals, byte for byte.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tickflag.common.settings import Settings
from tickflag.common.wire.messages import Signal
from tickflag.services.feed.recordings import Recording
from tickflag.services.replay.hindrances import PlayedMarket
from tickflag.services.replay.lockstep import Lockstep
from tickflag.services.replay.period import Period
from tickflag.services.replay.player import Player
from tickflag.services.replay.study.price_lines import PriceLines
from tickflag.services.replay.study.resolution import Resolution
from tickflag.services.replay.study.study import Horizon, Study
from tickflag.services.trader.evaluation.plugin.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts and results of a replay."""

    matches: dict[str, dict[str, float]]
    ticks: int
    cycles: int
    symbols: int
    processed: int
    evaluations: dict[str, int]
    """Each trader that ran -> how often it was asked about a symbol."""
    skipped: int
    efficiency: float
    bytes_sent: int
    bytes_full: int
    rejected: int
    failed: dict[str, int]
    """Each trader that failed -> the number of cycles in which it failed."""
    refused: dict[str, str]
    """Each trader that did not run, or for which the recordings have nothing -> the reason."""
    hindered: dict[str, str]
    """Each other trader that was never evaluated, or never with all that it needs -> the reason."""
    left_out: dict[str, dict[str, int]]
    """Kind of updates that were left out -> symbol -> how many, the most first."""
    traders: dict[str, dict[str, Any]]
    """Trader -> what its signals were worth, where the signals were studied."""

    def plain(self) -> dict[str, Any]:
        """The summary as plain data, for the last line of `tickflag replay --json`."""
        return {name: getattr(self, name) for name in self.__slots__}


class Replay:
    """`run` gives the signals as they arise, `summary` sums them up. Use it in a `with` block: it holds a segment.

    `on_fault` is told of a trader that cannot run or that failed in a cycle; the others go on. With `horizons` the
    signals are studied; with `lines` the study also keeps price lines, for a chart. Raises TickflagError where the
    recordings need a segment that cannot be made, or have nothing in the period.
    """

    def __init__(
        self,
        settings: Settings,
        recordings: Sequence[Recording],
        plugins: Sequence[Plugin],
        on_fault: Callable[[str], None],
        pace: float = 0.0,
        period: Period | None = None,
        horizons: Sequence[Horizon] | None = None,
        lines: bool = False,
    ) -> None:
        self._recordings = recordings
        self.player = Player(settings, recordings, on_fault, pace, period)
        self.lockstep = Lockstep(settings, self.player.segment, plugins, on_fault)
        self.player.alarms.append(self.lockstep.due_ns)
        traders = self.lockstep.traders
        price_lines = PriceLines(*self.player.span, self.player.segment.layout.capacity) if lines else None
        self.study = None
        if horizons is not None:
            self.study = Study(self.player.segment, traders, horizons, price_lines, Resolution(recordings))
        self._numbers = {trader.name: number for number, trader in enumerate(traders)}

    def run(self) -> Iterator[Signal]:
        """Play everything; gives the signals. Raises what `Player.play` raises."""
        player, study = self.player, self.study
        for _ in player.play():
            if study is not None:
                study.begin_cycle(player.now_ns, player.opening)
            for signal in self.lockstep.step(player.now_ns):
                if study is not None:
                    study.add(self._numbers[signal.trader], signal)
                yield signal
        if study is not None:
            study.finish(player.now_ns)

    def summary(self) -> Summary:
        tallies = self.lockstep.tallies
        processed = sum(tally.processed for tally in tallies)
        skipped = sum(tally.skipped for tally in tallies)
        hindrances = self.lockstep.hindrances(PlayedMarket(self.player.segment, self._recordings))
        return Summary(
            matches=self.lockstep.all_matches(),
            ticks=self.player.updates,
            cycles=self.player.cycles,
            symbols=len(self.player.market.symbols),
            processed=processed,
            evaluations={one.name: tally.processed for one, tally in zip(self.lockstep.traders, tallies, strict=True)},
            skipped=skipped,
            efficiency=skipped / (processed + skipped) if processed + skipped else 0.0,
            bytes_sent=sum(tally.bytes_sent for tally in tallies),
            bytes_full=sum(tally.bytes_full for tally in tallies),
            rejected=self.player.rejected,
            failed={name: failure.cycles for name, failure in self.lockstep.failures.items()},
            refused=self.lockstep.refused | {name: one.why for name, one in hindrances.items() if one.unfit},
            hindered={name: one.why for name, one in hindrances.items() if not one.unfit},
            left_out={kind: symbols for kind, symbols in self.player.market.left_out().items() if symbols},
            traders={} if self.study is None else {name: self.study.digest(n) for name, n in self._numbers.items()},
        )

    def close(self) -> None:
        self.player.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
