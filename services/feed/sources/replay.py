"""ReplaySource: recordings as a live market, at real speed, a multiple of it, or as fast as possible."""

from collections.abc import Iterator, Sequence

from common.blocks import ReplayBlock
from common.errors import TickflagError
from common.log import Logger
from services.feed.playback import Playback
from services.feed.recordings import Fault, RecordingError, merge, open_recording
from services.feed.sources.base import Source, Venue
from services.feed.updates import Batch


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
        self.native_s = frozenset().union(*(recording.kline_intervals_s for recording in self._recordings))
        self._batches: Iterator[Batch] = iter(())
        self._ahead: Batch | None = None
        self._origin_ns = 0  # recording time at the start
        self._opened_ns = 0

    def open(self, venue: Venue) -> Sequence[Batch]:
        self._log = venue.log
        self._opened_ns = venue.monotonic_ns
        self._batches = Playback(merge(self._recordings), venue.slot).batches()
        self._advance()
        if self._ahead is not None:
            self._origin_ns = int(self._ahead.rows["recv_ns"][0])
        return ()

    def next_ns(self) -> int | None:
        if self._ahead is None:
            return None
        if self._speed == 0:
            return self._opened_ns
        return self._opened_ns + int((int(self._ahead.rows["recv_ns"][0]) - self._origin_ns) / self._speed)

    def drain(self, monotonic_ns: int, wall_ns: int) -> Sequence[Batch]:
        if self._ahead is None:
            return ()
        if self._speed == 0:
            whole = self._ahead
            self._advance()
            return (whole,)
        due_ns = self.event_ns(monotonic_ns, wall_ns)
        batches = []
        while self._ahead is not None:
            n = int(self._ahead.rows["recv_ns"].searchsorted(due_ns, "right"))
            if n == 0:
                break
            batches.append(Batch(self._ahead.rows[:n]))
            if n < len(self._ahead.rows):
                self._ahead = Batch(self._ahead.rows[n:])
            else:
                self._advance()
        return batches

    def event_ns(self, monotonic_ns: int, wall_ns: int) -> int:
        if self._speed == 0:
            return int(self._ahead.rows["recv_ns"][0]) if self._ahead is not None else 0
        return self._origin_ns + int((monotonic_ns - self._opened_ns) * self._speed)

    def _advance(self) -> None:
        try:
            self._ahead = next(self._batches, None)
        except RecordingError as error:  # damaged half-way: what was read before stays
            self._ahead = None
            if self._log is not None:
                self._log.error("recording ends early", reason=str(error))
        if self._ahead is None and self._log is not None:
            self._log.info("recording ended", rejected=sum(recording.rejected for recording in self._recordings))

    def _on_fault(self, fault: Fault) -> None:
        if self._log is not None:
            self._log.warning("row refused", fault=str(fault))
