"""Market: the feed's side of the segment. Applies updates, keeps the timers, closes cycles. One thread.

It knows no socket, no source and no clock: whoever drives it (the service, a replay, a test) gives the time and
takes the swap events.
"""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from common import layout
from common.codec import Swap
from common.errors import SymbolTableFull
from common.jit import direct
from common.layout import CONTROL_WORDS, COUNTER, OPEN
from common.segment import Segment
from common.swap import BUFFER_NAMES
from common.symbols import SymbolTable
from services.feed.announce_kernels import announce_due
from services.feed.cycle_kernels import close_cycles, open_cycles
from services.feed.kernels import apply_klines, apply_ticks, close_due
from services.feed.state import DIRTY, NEXT_DUE, new_state
from services.feed.updates import TICK, Batch

NS = 1_000_000_000
HOUR_S = 3_600


class Market:
    """`native_s`: intervals (s) whose candles the source brings itself; the feed builds the others from trades.

    `rate_limit_ns` is each symbol's least time between ticker announcements, `watermark_ns` how long after its end
    a candle waits for late trades.
    """

    def __init__(self, segment: Segment, rate_limit_ns: int, watermark_ns: int, native_s: Iterable[int] = ()) -> None:
        self.segment = segment
        self.symbols = SymbolTable(segment)
        self.rate_limit_ns = rate_limit_ns
        self.watermark_ns = watermark_ns
        plan = segment.layout
        self.native_s = frozenset(native_s)
        native = self.native_s & set(plan.intervals_s)
        self._base_s = min(self.native_s, default=0)
        self._intervals_s = np.array(plan.intervals_s, np.int64)
        self._channels = segment.channel_names
        self._file = segment.path.name
        self._full_reported = False
        self._watermark_done = 0
        self.state = state = new_state(plan, [seconds not in native for seconds in plan.intervals_s])
        self._meta = memoryview(state.meta)  # type: ignore[arg-type] # numpy arrays are buffers
        self._closed = np.zeros((plan.channel_count, 4), np.int64)
        self._step_ns = int(np.gcd.reduce(self.state.intervals_ns))  # every candle ends at a multiple of it
        for channel in range(plan.channel_count):
            word = channel * CONTROL_WORDS + OPEN
            segment.arrays.control[word] = max(1, segment.arrays.control[word])
        # What a turn of one tick calls.
        arrays = segment.arrays
        self._apply_ticks = direct(apply_ticks, arrays, state, np.zeros(0, TICK), 0, 0)
        self._announce_due = direct(announce_due, arrays, state, 0, 0)
        self._close_cycles = direct(close_cycles, arrays.control, arrays.cycles, state.cycle, self._closed)
        self._open_cycles = direct(
            open_cycles, arrays.control, arrays.flags, arrays.living, state.cycle, state.meta, self._closed, 0
        )

    def slot(self, name: str) -> int:
        """The symbol's slot; -1 where the table is full, which is counted. The first refusal raises SymbolTableFull."""
        try:
            return self.symbols.slot(name)
        except SymbolTableFull:
            self.segment.arrays.living[COUNTER["refused_symbols"]] += 1
            if not self._full_reported:
                self._full_reported = True
                raise
            return -1

    def apply(self, batch: Batch, now_ns: int) -> None:
        """Apply a batch. `now_ns` is monotonic."""
        if batch.is_ticks:
            rows = batch.rows.ravel()  # contiguous, as the kernel was compiled; copies only what is not
            self._apply_ticks(self.segment.arrays, self.state, rows, now_ns, self.rate_limit_ns)
        else:
            self._apply_klines(batch, self._base_s, now_ns)

    def apply_past(
        self, batch: Batch, now_ns: int, base_s: int = HOUR_S, brought_s: frozenset[int] = frozenset()
    ) -> None:
        """Apply a batch of the time before the start. Of candles, those of `base_s` count into the 24 h figures.

        Intervals of `brought_s` come with the batch: they are not built from its trades and shorter candles.
        """
        built = self.state.built.copy()
        self.state.built[np.isin(self._intervals_s, list(brought_s))] = 0
        if batch.is_ticks:
            self.apply(batch, now_ns)
        else:
            self._apply_klines(batch, base_s, now_ns)
        self.state.built[:] = built

    def _apply_klines(self, batch: Batch, base_s: int, now_ns: int) -> None:
        rows = batch.rows
        places = np.searchsorted(self._intervals_s, rows["interval_s"]) % len(self._intervals_s)
        numbers = np.where(self._intervals_s[places] == rows["interval_s"], places, -1)
        apply_klines(self.segment.arrays, self.state, rows, numbers, base_s, now_ns, self.rate_limit_ns)

    def next_due_ns(self) -> int:
        """Monotonic ns when the first put-off announcement is due; 0 where there is none."""
        return self._meta[NEXT_DUE]

    def announce_due(self, now_ns: int) -> int:
        """Flag the put-off announcements that are due; gives how many."""
        return self._announce_due(self.segment.arrays, self.state, now_ns, self.rate_limit_ns)

    def announce_pending(self, now_ns: int) -> int:
        """Flag all put-off announcements: before a stop, a new generation or switching the limit off."""
        return self._announce_due(self.segment.arrays, self.state, now_ns, 0)

    def next_watermark_ns(self, event_ns: int) -> int:
        """Event time of the next moment at which a candle can be due to close."""
        passed = event_ns - self.watermark_ns
        return passed - passed % self._step_ns + self._step_ns + self.watermark_ns

    def limit(self, slots: npt.NDArray[np.uint8], now_ns: int) -> None:
        """From now on the rate limit counts where `slots`, a byte for each symbol, is 1. What is put off is announced
        first, so that nothing waits for a limit that is gone."""
        if not np.array_equal(self.state.limited[: len(slots)], slots):
            self.announce_pending(now_ns)
            self.state.limited[: len(slots)] = slots

    def close_due(self, event_ns: int, now_ns: int) -> int:
        """Close the candles whose end lies `watermark_ns` back in event time; gives how many."""
        watermark = event_ns - self.watermark_ns
        watermark -= watermark % self._step_ns
        if watermark <= self._watermark_done:
            return 0
        self._watermark_done = watermark
        arrays = self.segment.arrays
        return int(close_due(arrays, self.state, len(self.symbols), watermark, now_ns, self.rate_limit_ns))

    @property
    def dirty(self) -> bool:
        """A flag is set in an open cycle."""
        return self._meta[DIRTY] != 0

    def swap(self, send: Callable[[Swap], None], now_ns: int) -> int:
        """Close the open cycle of every channel with flags, hand each swap to `send`; gives how many."""
        arrays, state = self.segment.arrays, self.state
        n = self._close_cycles(arrays.control, arrays.cycles, state.cycle, self._closed)
        try:
            for channel, cycle, flagged, oldest_ns in self._closed[:n].tolist():
                send(
                    Swap(
                        self._channels[channel], self.segment.generation, cycle, BUFFER_NAMES[cycle % 2],
                        self._file, flagged, len(self.symbols), oldest_ns, now_ns,
                    )
                )  # fmt: skip
        finally:  # a closed cycle takes no more flags, whatever became of its event
            self._open_cycles(arrays.control, arrays.flags, arrays.living, state.cycle, state.meta, self._closed, n)
        return n

    def beat(self, now_ns: int) -> None:
        """Show that the feed lives."""
        self.segment.arrays.living[layout.HEARTBEAT] = now_ns
