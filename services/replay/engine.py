"""Engine: one process, no sockets, the recording's time. The same input gives the same signals, byte for byte.

Segment, update protocol, traders and results are the live ones. The policy of the feed is kept too: at most one swap
a `min_swap_interval`, at once where the last is older; rate limit; watermark. After each swap every trader steps.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import layout
from common.codec import decode
from common.errors import PluginError, SegmentError, SymbolTableFull, TickflagError
from common.messages import Delta, Signal, Snapshot, SwapEvent
from common.runtime import Runtime
from common.segment import Segment
from common.settings import Settings
from services.collector.control import ControlState
from services.collector.views import Views
from services.feed.market import Market
from services.feed.playback import Playback
from services.feed.recordings import Recording, merge
from services.feed.updates import Batch
from services.trader.matches import MatchSet
from services.trader.plugin import Plugin
from services.trader.results import Results, Tally
from services.trader.runner import Runner

MS = 1_000_000


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

    def plain(self) -> dict[str, Any]:
        """As the last line of `tickflag replay --json`."""
        return {name: getattr(self, name) for name in self.__slots__}


class _Seat:
    """One trader's place: its runner and what it counts."""

    def __init__(self, plugin: Plugin, settings: Settings, segment: Segment, send: Callable[[bytes], bool]) -> None:
        trader = plugin.trader
        self.fault = ""
        """What its last step failed with."""
        self.tally = Tally()
        matches = MatchSet()
        results = Results(
            trader.name, 1, matches, self.tally, send,
            settings.trader.deltas, settings.trader.compress_from_bytes, trader.score_step,
        )  # fmt: skip
        self.runner = Runner(segment, plugin, settings.trader, matches, results, self.tally)


class Replay:
    """`run` gives the signals as they arise; then `summary`. Use it in a `with` block: it holds a segment.

    `on_fault` hears of a trader that cannot run or that failed in a cycle; the rest goes on. Raises TickflagError where
    the recordings need a segment that cannot be made.
    """

    def __init__(
        self,
        settings: Settings,
        recordings: list[Recording],
        plugins: list[Plugin],
        on_fault: Callable[[str], None],
        pace: float = 0.0,
    ) -> None:
        self._settings, self._recordings, self._on_fault = settings, recordings, on_fault
        self._pace = pace
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
        self.market = Market(self._writable, int(feed.rate_limit_ms * MS), int(feed.watermark_ms * MS), native_s)
        self._writable.publish(runtime)
        self._readable = Segment.attach_current(runtime)
        self._min_swap_ns = int(feed.min_swap_interval_ms * MS)
        self._views = Views(ControlState(), 1 << 62)
        self._frames: list[bytes] = []
        self._seats: list[_Seat] = []
        for plugin in plugins:
            try:
                self._seats.append(_Seat(plugin, settings, self._readable, self._take))
            except (SegmentError, ValueError) as error:
                on_fault(f"trader {plugin.trader.name!r} does not run: {error}")
        self._swapped_ns = -(1 << 62)
        self._watermark_due_ns = 0
        self._cycles = 0
        self._seq = 0
        self.now_ns = 0
        """The recording's time."""
        self.applied = 0
        """Rows taken so far."""

    def run(self) -> Iterator[Signal]:
        """Play everything. Raises RecordingError where a file cannot be read on; what came before stays."""
        began = time.monotonic_ns()
        origin_ns = 0
        for batch in Playback(merge(self._recordings), self._slot).batches():
            times = batch.rows["recv_ns"]
            if not origin_ns:
                origin_ns = int(times[0])
                self._watermark_due_ns = self.market.next_watermark_ns(origin_ns)
            at = 0
            while at < len(times):
                first_ns = int(times[at])
                timer_ns = self._timer_ns()
                if timer_ns <= first_ns:
                    yield from self._turn(timer_ns)
                    continue
                if self._pace:
                    self._keep_pace(first_ns - origin_ns, began)
                until = self._end_of_window(times, first_ns, timer_ns)
                self.market.apply(Batch(batch.rows[at:until]), int(times[until - 1]))
                self.applied += until - at
                at = until
                yield from self._turn(int(times[until - 1]))
        self.market.announce_pending(self.now_ns)
        yield from self._swap()

    def summary(self) -> Summary:
        tallies = [seat.tally for seat in self._seats]
        processed = sum(tally.processed for tally in tallies)
        skipped = sum(tally.skipped for tally in tallies)
        return Summary(
            matches={
                name: dict(sorted(known.view.matches.items())) for name, known in sorted(self._views.known.items())
            },
            ticks=self._writable.counters()["updates"],
            cycles=self._cycles,
            symbols=len(self.market.symbols),
            processed=processed,
            skipped=skipped,
            efficiency=skipped / (processed + skipped) if processed + skipped else 0.0,
            bytes_sent=sum(tally.bytes_sent for tally in tallies),
            bytes_full=sum(tally.bytes_full for tally in tallies),
            rejected=sum(recording.rejected for recording in self._recordings)
            + self._writable.counters()["rejected_updates"],
        )

    def close(self) -> None:
        self._seats.clear()
        self._readable.close()
        self._writable.close()
        self._folder.cleanup()

    def __enter__(self) -> "Replay":
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
        return int(times.searchsorted(min(free_ns, timer_ns), "left"))

    def _timer_ns(self) -> int:
        """When something is due without a further row."""
        due = [self._watermark_due_ns]
        if self.market.next_due_ns():
            due.append(self.market.next_due_ns())
        if self.market.dirty:
            due.append(self._swapped_ns + self._min_swap_ns)
        return max(min(due), self.now_ns)

    def _turn(self, now_ns: int) -> Iterator[Signal]:
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

    def _swap(self) -> Iterator[Signal]:
        if not self.market.swap(_unheard, self.now_ns):
            return
        self._swapped_ns = self.now_ns
        self._cycles += 1
        for seat in self._seats:
            if seat.runner.pending():
                try:
                    seat.runner.step(self.now_ns)
                except PluginError as error:
                    seat.runner.fail()
                    if str(error) != seat.fault:  # the same fault again and again is told once
                        self._on_fault(str(error))
                    seat.fault = str(error)
                else:
                    seat.fault = ""
        yield from self._signals()

    def _take(self, frame: bytes) -> bool:
        self._frames.append(frame)
        return True

    def _signals(self) -> Iterator[Signal]:
        """Results as frames, to the collector's views, to signals."""
        frames, self._frames[:] = self._frames[:], []
        for frame in frames:
            message = decode(frame)
            assert isinstance(message, Snapshot | Delta)
            for draft in self._views.apply(message, self.now_ns):
                self._seq += 1
                yield Signal(seq=self._seq, **draft._asdict())

    def _keep_pace(self, elapsed_ns: int, began_ns: int) -> None:
        """Wait until the recording's elapsed time has passed, at the asked multiple."""
        wait_ns = began_ns + int(elapsed_ns / self._pace) - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)


def _unheard(_event: SwapEvent) -> None:
    """In lock-step nobody waits for an event."""
