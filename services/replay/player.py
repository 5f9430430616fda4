"""Player: recordings into a market of its own, cycle by cycle, in the recording's time. No traders here.

The policy of the feed is kept: at most one swap a `min_swap_interval`, at once where the last is older; rate limit;
watermark.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from common import layout
from common.errors import SymbolTableFull, TickflagError
from common.runtime import Runtime
from common.segment import Segment
from common.settings import Settings
from services.feed.limits import FLAG as RATE_LIMIT
from services.feed.market import Market
from services.feed.playback import Playback
from services.feed.recordings import Recording, merge
from services.feed.updates import Batch
from services.replay.period import Period

MS = 1_000_000


class Player:
    """`play` it once, in a `with` block: it holds a segment.

    Raises TickflagError where the recordings need a segment that cannot be made, or have nothing in the period.
    """

    def __init__(
        self,
        settings: Settings,
        recordings: Sequence[Recording],
        on_fault: Callable[[str], None],
        pace: float = 0.0,
        period: Period | None = None,
    ) -> None:
        self._recordings, self._on_fault, self._pace = recordings, on_fault, pace
        self._period = period or Period()
        self._period.check(recordings)
        for recording in recordings:
            recording.since_ns = self._period.since_ns
        self.span = self._period.span(recordings)
        """First and last time to be played, UTC ns."""
        names = {name for recording in recordings for name in recording.symbols()}
        native_s = frozenset().union(*(recording.kline_intervals_s for recording in recordings))
        intervals_s = tuple(sorted({*settings.intervals_s, *native_s}))
        try:
            plan = layout.plan(max(len(names), 1), settings.segment.depth, intervals_s)
        except ValueError as error:  # the recordings bring more intervals than a segment holds
            raise TickflagError(f"`segment.intervals` and the intervals of the recordings together: {error}") from None
        self._folder = tempfile.TemporaryDirectory(prefix="tickflag-")
        runtime = Runtime(Path(self._folder.name), "replay")
        runtime.prepare()
        self._writable = Segment.create(runtime, plan)
        feed = settings.feed
        limit_ms = feed.rate_limit_ms if settings.flags.get(RATE_LIMIT, True) else 0.0
        self.market = Market(self._writable, int(limit_ms * MS), int(feed.watermark_ms * MS), native_s)
        self._writable.publish(runtime)
        self.segment = Segment.attach_current(runtime)
        """For traders: read-only."""
        self._min_swap_ns = int(feed.min_swap_interval_ms * MS)
        self._swapped_ns = -(1 << 62)
        self._watermark_due_ns = 0
        self._history_updates = 0
        self.cycles = 0
        """Swaps in the period."""
        self.now_ns = 0
        """The recording's time."""
        self.applied = 0
        """Rows taken so far, history included."""
        self.opening = False
        """The traders look at the history, before anything of the period was applied."""
        self.alarms: list[Callable[[int], int | None]] = []
        """Each tells when, after a given time, its traders have something to do without a cycle; None for never."""
        self._turned_ns: int | None = None

    def play(self) -> Iterator[None]:
        """Play everything; each time it yields, the traders have their turn.

        History runs in the same cycles, but no trader sees them. Raises RecordingError where a file cannot be read on;
        what came before stays.
        """
        period = self._period
        began = origin_ns = 0
        for batch in Playback(merge(self._recordings), self._slot).batches():
            left_out = int(batch.rows["recv_ns"].searchsorted(period.since_ns, "left"))
            if left_out:
                batch = Batch(batch.rows[left_out:])
            times = batch.rows["recv_ns"]
            if not len(times):
                continue
            if not self._watermark_due_ns:
                self._watermark_due_ns = self.market.next_watermark_ns(int(times[0]))
            at = 0
            while at < len(times):
                first_ns = int(times[at])
                timer_ns = self._timer_ns()
                next_ns = min(first_ns, timer_ns)
                if next_ns >= period.to_ns:
                    yield from self._end()
                    return
                if next_ns >= period.from_ns and not origin_ns:
                    began, origin_ns = time.monotonic_ns(), next_ns
                    yield from self._open()
                    continue  # it may have set alarms
                if timer_ns <= first_ns:
                    yield from self._turn(timer_ns)
                    continue
                if self._pace and origin_ns:
                    self._keep_pace(first_ns - origin_ns, began)
                until = self._end_of_window(times, first_ns, timer_ns)
                self.market.apply(Batch(batch.rows[at:until]), int(times[until - 1]))
                self.applied += until - at
                at = until
                yield from self._turn(int(times[until - 1]))
        yield from self._end()

    @property
    def updates(self) -> int:
        """Ticks and candles applied in the period."""
        return self._writable.counters()["updates"] - self._history_updates

    @property
    def rejected(self) -> int:
        """Rows refused, those of the history included."""
        refused = sum(recording.rejected for recording in self._recordings)
        return refused + self._writable.counters()["rejected_updates"]

    def close(self) -> None:
        self.segment.close()
        self._writable.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _slot(self, name: str) -> int:
        """The symbol's slot; -1 for one that no recording announced, where there is no room for it."""
        try:
            return self.market.slot(name)
        except SymbolTableFull as error:
            self._on_fault(str(error))
            return -1

    def _end_of_window(self, times: Any, first_ns: int, timer_ns: int) -> int:
        """How far to read: what comes before the next timer, or where a swap is free, what came together."""
        free_ns = self._swapped_ns + self._min_swap_ns
        if free_ns <= first_ns:
            return int(times.searchsorted(first_ns, "right"))
        until_ns = min(free_ns, timer_ns, self._period.to_ns)
        if first_ns < self._period.from_ns:
            until_ns = min(until_ns, self._period.from_ns)
        return int(times.searchsorted(until_ns, "left"))

    def _timer_ns(self) -> int:
        """When something is due without a further row."""
        due = [self._watermark_due_ns]
        if self.market.next_due_ns():
            due.append(self.market.next_due_ns())
        if self.market.dirty:
            due.append(self._swapped_ns + self._min_swap_ns)
        due += self._alarms_ns()
        return max(min(due), self.now_ns)

    def _alarms_ns(self) -> list[int]:
        """What is due for traders. One that their last turn did not settle, as it failed, waits for the next cycle."""
        if self._turned_ns is None:
            return []
        found = [alarm(self._turned_ns) for alarm in self.alarms]
        return [due_ns for due_ns in found if due_ns is not None]

    def _turn(self, now_ns: int) -> Iterator[None]:
        """What the feed does in a turn, then what the traders do."""
        self.now_ns = now_ns
        market = self.market
        if market.next_due_ns() and market.next_due_ns() <= now_ns:
            market.announce_due(now_ns)
        if now_ns >= self._watermark_due_ns:
            market.close_due(now_ns, now_ns)
            self._watermark_due_ns = market.next_watermark_ns(now_ns)
        if market.dirty and now_ns - self._swapped_ns >= self._min_swap_ns:
            yield from self._swap()
        if any(due_ns <= now_ns for due_ns in self._alarms_ns()):
            yield from self._traders()

    def _swap(self) -> Iterator[None]:
        if not self.market.swap(_unheard, self.now_ns):
            return
        self._swapped_ns = self.now_ns
        if self.now_ns >= self._period.from_ns:
            self.cycles += 1
            yield from self._traders()

    def _traders(self) -> Iterator[None]:
        """The traders' turn."""
        self._turned_ns = self.now_ns
        yield

    def _open(self) -> Iterator[None]:
        """The period begins: where there is history, the traders see what it came to."""
        if not self.applied:
            return
        self._history_updates = self._writable.counters()["updates"]
        self.now_ns = self._period.from_ns
        self.opening = True
        yield from self._traders()
        self.opening = False

    def _end(self) -> Iterator[None]:
        self.market.announce_pending(self.now_ns)
        yield from self._swap()

    def _keep_pace(self, elapsed_ns: int, began_ns: int) -> None:
        """Wait until the recording's elapsed time has passed, at the asked multiple."""
        wait_ns = began_ns + int(elapsed_ns / self._pace) - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)


def _unheard(_event: object) -> None:
    """In lock-step nobody waits for an event."""
