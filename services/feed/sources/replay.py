"""ReplaySource: plays recordings as a live market, at real speed, at a multiple of it, or as fast as possible."""

from collections.abc import Callable, Sequence
from itertools import chain

from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.settings_schema.feed import ReplayBlock
from tickflag.services.feed.market.updates import Batch
from tickflag.services.feed.recordings import RecordingError, RowFault, covered_ns, merge, open_recording
from tickflag.services.feed.recordings.moments import MomentReader
from tickflag.services.feed.recordings.overlap import overlaps
from tickflag.services.feed.recordings.playback import Playback
from tickflag.services.feed.sources.source import Source, Venue


class ReplaySource(Source):
    """Plays `replay.recordings` once, then falls silent. Its event time is the recordings' own."""

    def __init__(self, settings: ReplayBlock) -> None:
        if not settings.recordings:
            raise TickflagError("setting `replay.recordings` names no file to play")
        self._speed = settings.speed
        self._log: Logger | None = None
        try:
            self._recordings = [open_recording(path, self._on_fault) for path in settings.recordings]
        except RecordingError as error:
            raise TickflagError(str(error)) from None
        self._reader = MomentReader(iter(()))
        self._next_ns: int | None = None  # replay time of the next row
        self._next_watermark_ns: Callable[[int], int] = int
        self._origin_ns = 0  # recording time at the start
        self._opened_ns = 0

    def open(self, venue: Venue) -> Sequence[Batch]:
        self._log = venue.log
        self._next_watermark_ns = venue.next_watermark_ns
        self._opened_ns = venue.monotonic_ns
        for text in overlaps(self._recordings):
            venue.log.warning("recordings overlap", reason=text)
        self._reader = MomentReader(Playback(merge(self._recordings), venue.slot).batches())
        self._look_ahead()
        self._origin_ns = self._next_ns or 0
        return ()

    def next_ns(self) -> int | None:
        if self._next_ns is None:
            return None
        if self._speed == 0:
            return self._opened_ns
        return self._opened_ns + int((self._next_ns - self._origin_ns) / self._speed)

    def drain(self, monotonic_ns: int, wall_ns: int) -> Sequence[Batch]:
        if self._next_ns is None:
            return ()
        if self._speed == 0:
            # No further than to the next time at which a candle may close, so that the same trades are late as ever.
            batches = self._reader.next_rows(self._next_watermark_ns(self._next_ns))
        else:
            batches = self._reader.before(self.event_ns(monotonic_ns, wall_ns) + 1)
        self._look_ahead()
        return batches

    def event_ns(self, monotonic_ns: int, wall_ns: int) -> int:
        if self._speed == 0:
            return self._next_ns or 0
        return self._origin_ns + int((monotonic_ns - self._opened_ns) * self._speed)

    def covered_ns(self, wall_ns: int) -> int:
        return covered_ns(self._recordings)

    def _look_ahead(self) -> None:
        try:
            self._next_ns = self._reader.next_ns
        except RecordingError as error:  # damaged half-way: the rows before it were good
            self._next_ns = None
            if self._log is not None:
                self._log.error("recording ends early", reason=str(error))
        if self._next_ns is None and self._log is not None:
            for line in chain.from_iterable(recording.verdict() for recording in self._recordings):
                self._log.warning("rows at fault", reason=line)
            self._log.info("recording ended", rejected=sum(recording.rejected for recording in self._recordings))

    def _on_fault(self, fault: RowFault) -> None:
        if self._log is not None:
            self._log.warning("row refused", fault=str(fault))
