"""Replay: one process, no sockets, the recording's time. The same input gives the same signals, byte for byte.

Segment, update protocol, traders and results are the live ones. After each swap every trader steps.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from common.messages import Signal
from common.settings import Settings
from services.feed.recordings import Recording
from services.replay.period import Period
from services.replay.player import Player
from services.replay.seats import Seats
from services.replay.study import Horizon, Study
from services.replay.track import Track
from services.trader.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Summary:
    """What a replay came to."""

    matches: dict[str, dict[str, float]]
    ticks: int
    cycles: int
    symbols: int
    processed: int
    skipped: int
    efficiency: float
    bytes_sent: int
    bytes_full: int
    rejected: int
    failed: dict[str, int]
    """Trader -> cycles in which it failed; only of those that did."""
    refused: dict[str, str]
    """Trader -> why it did not run; only of those that did not."""
    traders: dict[str, dict[str, Any]]
    """Trader -> what its signals were worth, where they were studied."""

    def plain(self) -> dict[str, Any]:
        """As the last line of `tickflag replay --json`."""
        return {name: getattr(self, name) for name in self.__slots__}


class Replay:
    """`run` gives the signals as they arise; then `summary`. Use it in a `with` block: it holds a segment.

    `on_fault` hears of a trader that cannot run or that failed in a cycle; the rest goes on. With `horizons` the
    signals are studied, and with `tracked` the study follows the prices. Raises TickflagError where the recordings
    need a segment that cannot be made, or have nothing in the period.
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
        tracked: bool = False,
    ) -> None:
        self.player = Player(settings, recordings, on_fault, pace, period)
        self.seats = Seats(settings, self.player.segment, plugins, on_fault)
        self.player.alarms.append(self.seats.due_ns)
        traders = self.seats.traders
        track = Track(*self.player.span, self.player.segment.layout.capacity) if tracked else None
        self.study = None if horizons is None else Study(self.player.segment, traders, horizons, track)
        self._numbers = {trader.name: number for number, trader in enumerate(traders)}

    def run(self) -> Iterator[Signal]:
        """Play everything. Raises RecordingError where a file cannot be read on; what came before stays."""
        player, study = self.player, self.study
        for _ in player.play():
            if study is not None:
                study.cycle(player.now_ns, player.opening)
            for signal in self.seats.step(player.now_ns):
                if study is not None:
                    study.take(self._numbers[signal.trader], signal)
                yield signal
        if study is not None:
            study.finish(player.now_ns)

    def summary(self) -> Summary:
        tallies = self.seats.tallies
        processed = sum(tally.processed for tally in tallies)
        skipped = sum(tally.skipped for tally in tallies)
        return Summary(
            matches=self.seats.all_matches(),
            ticks=self.player.updates,
            cycles=self.player.cycles,
            symbols=len(self.player.market.symbols),
            processed=processed,
            skipped=skipped,
            efficiency=skipped / (processed + skipped) if processed + skipped else 0.0,
            bytes_sent=sum(tally.bytes_sent for tally in tallies),
            bytes_full=sum(tally.bytes_full for tally in tallies),
            rejected=self.player.rejected,
            failed={name: failure.cycles for name, failure in self.seats.failures.items()},
            refused=self.seats.refused,
            traders={} if self.study is None else {name: self.study.digest(n) for name, n in self._numbers.items()},
        )

    def close(self) -> None:
        self.player.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
