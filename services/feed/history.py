"""History: candles of the time before the start, from recordings or from the last run (`feed.history`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings_schema.feed import LAST, FeedBlock
from tickflag.common.units import NS_PER_S, S_PER_HOUR
from tickflag.services.feed import candle_file
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.updates import Batch
from tickflag.services.feed.recordings import Recording, RecordingError, RowFault, covered_ns, merge, open_recording
from tickflag.services.feed.recordings.moments import MomentReader
from tickflag.services.feed.recordings.overlap import overlaps
from tickflag.services.feed.recordings.playback import Playback


@dataclass(frozen=True, slots=True)
class Past:
    """A batch of the time before the start. In a batch of the last run the candles of `counted_s` count in the 24 h
    figures, and those of all intervals `saved_s` come; a batch of a recording has neither."""

    batch: Batch
    event_ns: int = 0
    """Event time up to which candles may close before the batch; 0 for candles of the last run."""
    counted_s: int = 0
    saved_s: tuple[int, ...] = ()

    def apply(self, market: MarketWriter, now_ns: int) -> None:
        """Apply the batch; `now_ns` is monotonic."""
        if self.saved_s:
            market.apply_saved(self.batch, now_ns, self.saved_s, self.counted_s)
        else:
            market.close_due(self.event_ns, now_ns)
            market.apply(self.batch, now_ns)


class History:
    """Opens the recordings that `feed.history` names. Raises TickflagError for one that cannot be opened."""

    def __init__(self, settings: FeedBlock, runtime: Runtime, log: Logger) -> None:
        self._log = log
        self._path = candle_file.path(runtime)
        self._keeps = LAST in settings.history
        self._age_ns = int(settings.history_age_s * NS_PER_S)
        self._recordings = [self._opened(Path(name)) for name in settings.history if name != LAST]

    def batches(
        self, slot: Callable[[str], int], wall_ns: int, next_watermark_ns: Callable[[int], int]
    ) -> Iterator[Past]:
        """Batches of the recordings, ordered by time, then those of the last run. `next_watermark_ns` gives the first
        event time after a given one at which a candle can be due to close: none is passed within a batch.

        History that is damaged or too old is left out, and the log says so.
        """
        for text in overlaps(self._recordings):
            self._log.warning("recordings overlap", reason=text)
        reader = MomentReader(Playback(merge(self._recordings), slot).batches())
        try:
            while (event_ns := reader.next_ns) is not None:
                for batch in reader.next_rows(next_watermark_ns(event_ns)):
                    yield Past(batch, event_ns)
        except RecordingError as error:  # damaged half-way: the batches before it were good
            self._log.error("history ends early", reason=str(error))
        for line in chain.from_iterable(recording.verdict() for recording in self._recordings):
            self._log.warning("rows at fault", reason=line)
        if not self._keeps:
            return
        try:
            saved = candle_file.load(self._path, wall_ns, self._age_ns)
        except TickflagError as error:
            self._log.warning("no history of the last run", reason=str(error))
            return
        intervals_s = saved.intervals_s
        for batch in saved.batches(slot):
            yield Past(batch, 0, S_PER_HOUR if S_PER_HOUR in intervals_s else min(intervals_s), intervals_s)

    def covered_ns(self) -> int:
        """The event time from which on the recordings have all that happened; 0 without any."""
        return covered_ns(self._recordings)

    def save(self, market: MarketWriter, wall_ns: int) -> None:
        """Save the market's candles for the next start, where `feed.history` names the last run."""
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

    def _on_fault(self, fault: RowFault) -> None:
        self._log.warning("row refused", fault=str(fault))
