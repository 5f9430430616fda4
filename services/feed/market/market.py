"""MarketWriter: the feed's side of the segment. Applies updates, defers announcements, closes cycles. One thread.

The writer knows no socket, no source and no clock: its driver (the service, a replay, a test) gives the time and takes
the swap events.
"""

import math
from collections.abc import Callable

import numpy as np

from tickflag.common.arrays import ByteMask
from tickflag.common.errors import SymbolTableFull
from tickflag.common.jit import direct
from tickflag.common.protocol.cycles import BUFFER_NAMES
from tickflag.common.protocol.heartbeat import beat
from tickflag.common.segment.layout import CONTROL_WORDS, COUNTER, OPEN
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolTable
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.codec import Swap
from tickflag.services.feed.market.announce_kernels import announce_due
from tickflag.services.feed.market.cycle_kernels import close_cycles, open_cycles
from tickflag.services.feed.market.day_kernels import HOUR_NS
from tickflag.services.feed.market.kline_kernels import NO_CANDLES, apply_klines, close_due
from tickflag.services.feed.market.state import (
    AHEAD,
    BEHIND,
    COVERED,
    DAY_HOUR,
    DIRTY,
    HOURS,
    LEFT_OUT,
    OWNED,
    new_state,
)
from tickflag.services.feed.market.tick_kernels import apply_ticks
from tickflag.services.feed.market.updates import TICK, Batch, widened

_EVER_NS = 1 << 62  # later than any event


class MarketWriter:
    """The one writer of `segment`, which stays the caller's.

    `rate_limit_ns` is the least time between two ticker announcements of a symbol, `watermark_ns` how long a candle
    waits after its end for late trades, or for its last word from the source. Which candles a symbol's source brings is
    learned from its klines; the writer builds the others.
    """

    def __init__(self, segment: Segment, rate_limit_ns: int, watermark_ns: int) -> None:
        self.segment = segment
        self.symbols = SymbolTable(segment)
        self.rate_limit_ns = rate_limit_ns
        self.watermark_ns = watermark_ns
        plan = segment.layout
        self._intervals_s = np.array(plan.intervals_s, np.int64)
        self._channels = segment.channel_names
        self._file = segment.path.name
        self._full_reported = False
        self._watermark_done = 0
        self.state = state = new_state(plan)
        self.pending = state.meta.data
        """What is pending: the words NEXT_DUE and DIRTY of `FeedState.meta`. To be read, not written."""
        self._closed = np.zeros((plan.channel_count, 4), np.int64)
        # Every candle ends at a multiple of it, and every hour, in which the 24 h figures age.
        self._step_ns = math.gcd(*state.intervals_ns.tolist(), *state.grid_ns.tolist(), HOUR_NS)
        for channel in range(plan.channel_count):
            word = channel * CONTROL_WORDS + OPEN
            segment.arrays.control[word] = max(1, segment.arrays.control[word])
        # The kernels that a turn of one tick calls, without a check of the types.
        arrays = segment.arrays
        self._beat = direct(beat, arrays.living, 0)
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
            rows = batch.rows.ravel()  # contiguous, as the kernel expects; copies only rows that are not
            self._apply_ticks(self.segment.arrays, self.state, rows, now_ns, self.rate_limit_ns)
        else:
            self._apply_klines(batch, 0, now_ns)

    def apply_saved(self, batch: Batch, now_ns: int, saved_s: tuple[int, ...], counted_s: int = NO_CANDLES) -> None:
        """Apply candles of the past that come one interval after the other.

        Those of `counted_s` count in volume and 24 h figures. All intervals of `saved_s` come, so none of them is
        built.
        """
        self.state.brought[:, np.isin(self._intervals_s, saved_s), OWNED] = _EVER_NS
        self._apply_klines(batch, counted_s, now_ns)

    def begin(self, event_ns: int) -> None:
        """Begin to follow the sources at this event time; what was applied before is the past.

        A candle that began before, in the past or in the time between, is incomplete unless a source brings it. Which
        candles the sources bring is learned anew.
        """
        state = self.state
        state.meta[COVERED] = event_ns - event_ns % NS_PER_S
        state.brought[:, :, OWNED] = 0
        for name in ("owned_ns", "counted_from_ns", "counted_until_ns", "earlier_from_ns", "earlier_until_ns"):
            state.bases[name] = 0
        opens = self.segment.arrays.opens
        opens["open"][(opens["first_ns"] > 0) & (opens["start_ns"] < state.meta[COVERED])] = np.nan

    def bound_times(self, ahead_ns: int, behind_ns: int) -> None:
        """Refuse updates from now on whose event time lies further than this after or before their receipt."""
        self.state.meta[AHEAD], self.state.meta[BEHIND] = ahead_ns, behind_ns

    def left_out(self) -> dict[str, dict[str, int]]:
        """What was left out of the figures so far: kind (LEFT_OUT) -> symbol -> how often, the most first."""
        counts = self.state.left_out[: len(self.symbols)]
        names = self.symbols.names
        found: dict[str, dict[str, int]] = {}
        for kind, name in enumerate(LEFT_OUT):
            slots = np.flatnonzero(counts[:, kind])
            ranked = sorted(slots.tolist(), key=lambda slot: (-counts[slot, kind], names[slot]))
            found[name] = {names[slot]: int(counts[slot, kind]) for slot in ranked}
        return found

    def stray(self) -> tuple[str, int, int] | None:
        """The last update that was refused for its time: symbol, event time, receipt; None where there was none."""
        slot, event_ns, recv_ns = self.state.stray.tolist()
        return (self.symbols.names[slot], event_ns, recv_ns) if event_ns else None

    def _apply_klines(self, batch: Batch, past_s: int, now_ns: int) -> None:
        rows = widened(batch.rows)
        places = np.searchsorted(self._intervals_s, rows["interval_s"]) % len(self._intervals_s)
        numbers = np.where(self._intervals_s[places] == rows["interval_s"], places, -1)
        apply_klines(self.segment.arrays, self.state, rows, numbers, past_s, now_ns, self.rate_limit_ns)

    def announce_due(self, now_ns: int) -> int:
        """Make the deferred announcements that are due; gives how many."""
        return self._announce_due(self.segment.arrays, self.state, now_ns, self.rate_limit_ns)

    def announce_pending(self, now_ns: int) -> int:
        """Make all deferred announcements, due or not; gives how many."""
        return self._announce_due(self.segment.arrays, self.state, now_ns, 0)

    def next_watermark_ns(self, event_ns: int) -> int:
        """The first event time after `event_ns` at which a candle can be due to close."""
        passed = event_ns - self.watermark_ns
        return passed - passed % self._step_ns + self._step_ns + self.watermark_ns

    def last_watermark_ns(self, event_ns: int) -> int:
        """The last event time up to `event_ns` at which a candle can be due to close."""
        return self.next_watermark_ns(event_ns) - self._step_ns

    def is_idle(self) -> bool:
        """Whether the clock alone changes nothing: no candle forms or waits to be counted, and no 24 h figures age."""
        count = len(self.symbols)
        state = self.state
        hours = state.memos["hour"][:count]
        return not (
            (self.segment.arrays.opens["first_ns"][:count] > 0).any()
            or state.bases["held"][:count].any()
            or (hours > max(0, int(state.meta[DAY_HOUR]) - HOURS)).any()
        )

    def limit(self, slots: ByteMask, now_ns: int) -> None:
        """Apply the rate limit from now on where `slots`, a byte for each symbol, is 1. A change first makes all
        deferred announcements, so that none waits for a limit that is gone."""
        if not np.array_equal(self.state.limited[: len(slots)], slots):
            self.announce_pending(now_ns)
            self.state.limited[: len(slots)] = slots

    def close_due(self, event_ns: int, now_ns: int) -> int:
        """Close the candles whose end lies at least `watermark_ns` back in event time; gives how many."""
        watermark = event_ns - self.watermark_ns
        watermark -= watermark % self._step_ns
        if watermark <= self._watermark_done:
            return 0
        self._watermark_done = watermark
        arrays = self.segment.arrays
        return int(close_due(arrays, self.state, len(self.symbols), watermark, now_ns, self.rate_limit_ns))

    @property
    def dirty(self) -> bool:
        """True where a flag is set in an open cycle."""
        return self.pending[DIRTY] != 0

    def swap(self, send: Callable[[Swap], None], now_ns: int) -> int:
        """Close the open cycle of every channel with flags and hand each swap to `send`; gives how many there were."""
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
        finally:  # a closed cycle takes no more flags, even where `send` raised
            self._open_cycles(arrays.control, arrays.flags, arrays.living, state.cycle, state.meta, self._closed, n)
        return n

    def beat(self, now_ns: int) -> None:
        """Show readers that the feed lives."""
        self._beat(self.segment.arrays.living, now_ns)
