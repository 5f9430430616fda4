"""MarketView: the feed's segment, read-only: figures, rows of all symbols, candles, the debug ring."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickflag.common.diagnosis.buffers import channel_words
from tickflag.common.diagnosis.feed_figures import FeedFigures, segment_figures
from tickflag.common.diagnosis.segment_facts import channel_facts, debug_ring, header_facts
from tickflag.common.errors import TickflagError
from tickflag.common.protocol.rows import UNKNOWN, CandleWish, RowReader
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.layout import CANDLE_FIELDS
from tickflag.common.segment.segment import AttachError, Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.settings import Settings


class MarketView:
    """Follows the feed from one generation to the next. Each attach is a new `generation`. One thread.

    Rows are copied by `copy_rows`, once for all who look; the copy stays when the feed has gone.
    """

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self._settings, self._runtime = settings, runtime
        self._segment: Segment | None = None
        self._directory: SymbolDirectory | None = None
        self._reader: RowReader | None = None
        self.names: list[str] = []
        """Symbols by slot, of the newest segment."""
        self.generation = 0
        self.tickers: NDArray[Any] = np.zeros(0, UNKNOWN.dtype)
        """Rows by slot as of the last `copy_rows`; NaN where a symbol has no data."""

    def follow(self) -> None:
        """Attach the current segment, and learn of new symbols."""
        self._current()

    def figures(self) -> FeedFigures:
        """The feed's state and counters now."""
        pid = Role.holder(self._runtime, "feed")
        if pid is None:
            return FeedFigures({"state": "stopped"}, 0, {})
        segment = self._current()
        if segment is None:
            return FeedFigures({"state": "starting", "pid": pid}, 0, {})
        return segment_figures(self._settings, pid, segment)

    def channels(self) -> list[dict[str, Any]]:
        """The control words of each channel; empty without a segment."""
        segment = self._current()
        return [] if segment is None else channel_facts(segment)

    def channel_words(self) -> list[dict[str, Any]]:
        """The same, with the time of the last closed cycle's oldest update."""
        segment = self._current()
        return [] if segment is None else channel_words(segment)

    def header(self) -> dict[str, Any]:
        """The header; empty without a segment."""
        segment = self._current()
        return {} if segment is None else header_facts(segment)

    def debug_ring(self) -> list[dict[str, Any]]:
        """The debug ring, newest entry first; empty without a segment."""
        segment = self._current()
        return [] if segment is None else debug_ring(segment, self.names)[::-1]

    def intervals(self) -> list[str]:
        """The intervals of the candles; none without a segment."""
        segment = self._current()
        return [] if segment is None else list(segment.channel_names[1:])

    def copy_rows(self) -> None:
        """Copy the rows of all symbols; where no segment can be read, the last copy stays."""
        segment = self._current()
        if segment is None:
            return
        if self._reader is None:
            self._reader = RowReader(segment, 0, None, segment.layout.capacity, mirror=True)
        count = len(self.names)
        slots = np.nonzero(segment.arrays.versions[:count])[0].astype(np.int32)
        self._reader.read(slots)  # a row that is locked for the moment keeps its former copy
        self.tickers = self._reader.mirrored(count).tickers

    def row(self, symbol: str) -> tuple[dict[str, Any], int] | None:
        """Ticker and version of a symbol; None where the symbol is not known or has no data yet."""
        segment = self._current()
        slot = self.slot(symbol)
        if segment is None or slot is None:
            return None
        rows = RowReader(segment, 0, None, 1).read(np.array([slot], np.int32))
        if rows.failed or not rows.versions[0]:
            return None
        ticker = rows.tickers[0]
        return {name: ticker[name].item() for name in ticker.dtype.names}, int(rows.versions[0])

    def slot(self, symbol: str) -> int | None:
        """The slot of a symbol; None where it is not known."""
        return None if self._current() is None or self._directory is None else self._directory.slot(symbol)

    def slots(self, symbols: Sequence[str]) -> list[int]:
        """The slot of each symbol; -1 for those that are not known."""
        if self._current() is None or self._directory is None:
            return [-1] * len(symbols)
        found = map(self._directory.slot, symbols)
        return [-1 if slot is None else slot for slot in found]

    def candles(self, symbol: str, interval: str, count: int) -> tuple[dict[str, NDArray[np.float64]], bool]:
        """Columns of the newest candles, oldest first, and whether the last one is forming.

        Raises TickflagError for an interval that the feed does not keep.
        """
        segment, slot = self._current(), self.slot(symbol)
        none = {name: np.zeros(0) for name in CANDLE_FIELDS}
        if segment is None or slot is None:
            return none, False
        at = segment.interval(interval)
        wish = CandleWish(at, min(count, segment.layout.depth + 1), tuple(range(len(CANDLE_FIELDS))), forming=True)
        rows = RowReader(segment, 0, wish, 1).read(np.array([slot], np.int32))
        if rows.failed or rows.candles is None or rows.valid is None:
            return none, False
        valid = int(rows.valid[0])
        columns = {
            name: rows.candles[field, 0, wish.look_back - valid :].copy() for field, name in enumerate(CANDLE_FIELDS)
        }
        return columns, bool(segment.arrays.opens[slot, at]["first_ns"] > 0)

    def close(self) -> None:
        if self._segment is not None:
            self._reader = self._directory = None
            self._segment.close()
            self._segment = None

    def _current(self) -> Segment | None:
        """The current segment with all its symbols; None where none can be attached."""
        try:
            pointer = self._runtime.read_pointer()
            if self._segment is None or self._segment.path.name != pointer:
                segment = Segment.attach_current(self._runtime)
                self.tickers = self.tickers.copy()  # the reader's buffers go
                self.close()
                self._segment, self._directory = segment, SymbolDirectory(segment)
                self.generation += 1
        except (AttachError, OSError):  # OSError: descriptors are short
            return None
        assert self._directory is not None
        self._directory.refresh()
        self.names = self._directory.names
        return self._segment


def checked_interval(interval: str, intervals: Sequence[str]) -> str:
    """The interval, if it is one of these. Raises TickflagError naming all."""
    if intervals and interval not in intervals:
        raise TickflagError(f"this feed keeps no {interval[:20]!r} candles; it keeps {', '.join(intervals)}")
    return interval
