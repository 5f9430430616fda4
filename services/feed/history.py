"""History: candles of the time before the start, from recordings or from the last run (`feed.history`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common.blocks import LAST, FeedBlock
from common.errors import TickflagError
from common.log import Logger
from common.runtime import Runtime
from services.feed import candle_file
from services.feed.market import HOUR_S, Market
from services.feed.playback import Playback
from services.feed.recordings import Fault, Recording, RecordingError, merge, open_recording
from services.feed.updates import Batch

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Past:
    """A batch of the past. Intervals of `brought_s` come as they are and are not built from trades or shorter ones;
    the candles of `base_s` are what others are built from, and what the 24 h figures count."""

    batch: Batch
    base_s: int
    brought_s: frozenset[int]


class History:
    """Opens what the setting names. Raises TickflagError for a recording that cannot be opened."""

    def __init__(self, settings: FeedBlock, runtime: Runtime, log: Logger) -> None:
        self._log = log
        self._path = candle_file.path(runtime)
        self._keeps = LAST in settings.history
        self._age_ns = int(settings.history_age_s * NS)
        self._recordings = [self._opened(Path(name)) for name in settings.history if name != LAST]

    def batches(self, slot: Callable[[str], int], wall_ns: int) -> Iterator[Past]:
        """Oldest first: those of the recordings, by time, then those of the last run.

        What is damaged or too old is left out, and the log says so.
        """
        brought = frozenset().union(*(recording.kline_intervals_s for recording in self._recordings))
        try:
            for batch in Playback(merge(self._recordings), slot).batches():
                yield Past(batch, min(brought, default=0), brought)
        except RecordingError as error:  # damaged half-way: what was read before stays
            self._log.error("history ends early", reason=str(error))
        if not self._keeps:
            return
        try:
            saved = candle_file.load(self._path, wall_ns, self._age_ns)
        except TickflagError as error:
            self._log.warning("no history of the last run", reason=str(error))
            return
        intervals = frozenset(saved.intervals_s)
        for batch in saved.batches(slot):
            yield Past(batch, HOUR_S if HOUR_S in intervals else min(intervals), intervals)

    def keep(self, market: Market, wall_ns: int) -> None:
        """Save the market's candles for the next start, where the settings ask for it."""
        if not self._keeps:
            return
        try:
            candle_file.save(self._path, market.segment, wall_ns)
        except OSError as error:
            self._log.error("candles not saved", reason=f"{self._path}: {error.strerror}")

    def _opened(self, path: Path) -> Recording:
        try:
            return open_recording(path, self._on_fault)
        except RecordingError as error:
            raise TickflagError(f"setting `feed.history`: {error}") from None

    def _on_fault(self, fault: Fault) -> None:
        self._log.warning("row refused", fault=str(fault))
