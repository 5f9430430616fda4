"""Player: plays recordings into a market of its own, cycle by cycle, in the recording's time. It knows no trader.

The feed's own policy (`services/feed/turn.py`) says what is due in a turn, and in which order. The player says when the
turns are: after the rows of one moment, or after all rows before the next time at which something is due.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from tickflag.common.errors import SymbolTableFull, TickflagError
from tickflag.common.flags import BUILT_IN, SYMBOL_RATE_LIMIT
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.recordings import Recording, covered_ns, merge
from tickflag.services.feed.recordings.moments import MomentReader
from tickflag.services.feed.recordings.overlap import overlaps
from tickflag.services.feed.recordings.playback import Playback
from tickflag.services.feed.turn import NEVER_NS, Turns
from tickflag.services.replay.period import Period, utc


class Player:
    """Call `play` once, in a `with` block: a player holds a segment.

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
        """The first and the last time that is played, UTC ns."""
        names = sorted({name for recording in recordings for name in recording.symbols()})
        brought_s = frozenset().union(*(recording.kline_intervals_s for recording in recordings))
        intervals_s = tuple(sorted({*settings.intervals_s, *brought_s}))
        try:
            plan = layout.plan(max(len(names), 1), settings.segment.depth, intervals_s)
        except ValueError as error:  # with those of the recordings there are too many intervals for a segment
            raise TickflagError(f"`segment.intervals` and the intervals of the recordings together: {error}") from None
        self._folder = tempfile.TemporaryDirectory(prefix="tickflag-")
        runtime = Runtime(Path(self._folder.name), "replay")
        runtime.prepare()
        self._writable = Segment.create(runtime, plan)
        feed = settings.feed
        limited = settings.flags.get(SYMBOL_RATE_LIMIT, BUILT_IN[SYMBOL_RATE_LIMIT].default)
        limit_ms = feed.rate_limit_ms if limited else 0.0
        self.market = MarketWriter(self._writable, int(limit_ms * NS_PER_MS), int(feed.watermark_ms * NS_PER_MS))
        self.market.bound_times(int(feed.ahead_limit_s * NS_PER_S), int(feed.behind_limit_s * NS_PER_S))
        self.market.begin(max(covered_ns(recordings), self._period.since_ns))
        for name in names:  # in the order of names, so that no file decides which symbol comes first
            self.market.slot(name)
        for text in overlaps(recordings):
            on_fault(text)
        self._writable.publish(runtime)
        self.segment = Segment.attach_current(runtime)
        """The segment as traders see it: read-only."""
        self._turns = Turns(int(feed.min_swap_interval_ms * NS_PER_MS), self._close_cycles)
        self._due_ns = NEVER_NS  # nothing is due before the first rows
        self._history_updates = 0
        self.cycles = 0
        """How many turns of the period closed a cycle."""
        self.now_ns = 0
        """The present, in the recording's time."""
        self.applied = 0
        """Rows applied so far, history included."""
        self._turned_rows = 0  # rows applied before the last turn
        self._idle = False  # the clock alone changes nothing
        self.opening = False
        """True while the traders look at the history, before any row of the period is applied."""
        self.alarms: list[Callable[[int], int | None]] = []
        """Each gives the first time after a given one at which its traders must step even without a new cycle; None for
        never."""
        self._turned_ns: int | None = None

    def play(self) -> Iterator[None]:
        """Play everything; step the traders whenever it yields.

        History goes through the same turns, but no trader sees its cycles. Where a file cannot be read any further, all
        rows before that are played first, then it raises RecordingError.
        """
        period = self._period
        began = origin_ns = 0
        reader = MomentReader(Playback(merge(self._recordings), self._slot).batches(), period.since_ns)
        while (first_ns := reader.next_ns) is not None:
            timer_ns = self._timer_ns(first_ns)
            next_ns = min(first_ns, timer_ns)
            if next_ns >= period.to_ns:
                break
            if next_ns >= period.from_ns and not origin_ns:
                began, origin_ns = time.monotonic_ns(), next_ns
                yield from self._open()
                continue  # the traders may have set alarms
            if timer_ns <= first_ns:
                yield from self._turn(timer_ns)
                continue
            if self._pace and origin_ns:
                self._keep_pace(first_ns - origin_ns, began)
            batches = reader.before(self._end_of_window(first_ns, timer_ns))
            last_ns = int(batches[-1].rows["recv_ns"][-1])
            for batch in batches:
                self.market.apply(batch, last_ns)
                self.applied += len(batch.rows)
            yield from self._turn(last_ns)
        yield from self._end()

    @property
    def updates(self) -> int:
        """Ticks and candles applied in the period."""
        return self._writable.counters()["updates"] - self._history_updates

    @property
    def rejected(self) -> int:
        """Rows refused so far, history included."""
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
        """The symbol's slot; -1 where the segment is full, as no recording announced the symbol."""
        try:
            return self.market.slot(name)
        except SymbolTableFull as error:
            self._on_fault(str(error))
            return -1

    def _end_of_window(self, first_ns: int, timer_ns: int) -> int:
        """The time before which rows are applied before the next turn: where a swap may come at once, the rows of the
        first moment; else all rows before the next timer."""
        free_ns = self._turns.swap_free_ns
        if free_ns <= first_ns:
            return first_ns + 1
        until_ns = min(free_ns, timer_ns, self._period.to_ns)
        return min(until_ns, self._period.from_ns) if first_ns < self._period.from_ns else until_ns

    def _timer_ns(self, first_ns: int) -> int:
        """The next time at which something is due without a further row. The next row comes at `first_ns`."""
        due_ns = self._due_ns
        if self._idle and self._turns.watermark_ns <= first_ns:
            due_ns = min(due_ns, self.market.last_watermark_ns(first_ns))
        return max(min([due_ns, *self._alarms_ns()]), self.now_ns)

    def _alarms_ns(self) -> list[int]:
        """The times after the traders' last step at which they must step again. A trader that failed in its last step
        waits for the next cycle."""
        if self._turned_ns is None:
            return []
        found = [alarm(self._turned_ns) for alarm in self.alarms]
        return [due_ns for due_ns in found if due_ns is not None]

    def _turn(self, now_ns: int) -> Iterator[None]:
        """Make the feed's turn; then let the traders step where a cycle of the period closed or an alarm is due."""
        self.now_ns = now_ns
        cycles = self.cycles
        due_ns = self._turns.run(self.market, now_ns, now_ns)
        # In a replay the clock shows event time, so the watermark is a time at which something is due. Where a turn
        # without rows has left nothing to close, there may be years to the next row: only the last watermark before
        # that row counts, so that what the row begins closes when it would in a feed whose clock never stood.
        self._idle = self._turned_rows == self.applied and self.market.is_idle()
        self._due_ns = due_ns if self._idle else min(due_ns, self._turns.watermark_ns)
        self._turned_rows = self.applied
        if self.cycles > cycles or any(due_ns <= now_ns for due_ns in self._alarms_ns()):
            yield from self._traders()

    def _close_cycles(self, now_ns: int) -> int:
        """Close the cycle of every channel with flags; gives how many were closed. No swap event is sent."""
        closed = self.market.swap(_unheard, now_ns)
        if closed and now_ns >= self._period.from_ns:
            self.cycles += 1
        return closed

    def _traders(self) -> Iterator[None]:
        """Yield, so that the traders step."""
        self._turned_ns = self.now_ns
        yield

    def _open(self) -> Iterator[None]:
        """Begin the period: where there is history, let the traders step on the market that it left."""
        if not self.applied:
            return
        self._history_updates = self._writable.counters()["updates"]
        self.now_ns = self._period.from_ns
        self.opening = True
        yield from self._traders()
        self.opening = False

    def _end(self) -> Iterator[None]:
        """Announce what was put off, and let the traders step on it."""
        stray = self.market.stray()
        if stray is not None:
            symbol, event_ns, recv_ns = stray
            at, received = utc(event_ns), utc(recv_ns)
            self._on_fault(f"refused for its time: the last is an update of {symbol} at {at}, received at {received}")
        cycles = self.cycles
        self._turns.flush(self.market, self.now_ns)
        if self.cycles > cycles:
            yield from self._traders()

    def _keep_pace(self, elapsed_ns: int, began_ns: int) -> None:
        """Wait until `elapsed_ns` of the recording have passed at the requested speed."""
        wait_ns = began_ns + int(elapsed_ns / self._pace) - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / NS_PER_S)


def _unheard(_event: object) -> None:
    """Drop a swap event: in lock-step nobody waits for one."""
