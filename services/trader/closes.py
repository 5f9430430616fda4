"""Closes: all candles that closed since a symbol was last evaluated, for traders that want each of them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from common.rows import CandleWish, RowReader, Rows
from common.segment import Segment

Slots = npt.NDArray[np.int32]
Versions = npt.NDArray[np.int64]


class Closes:
    """Reads the whole ring of the symbols that missed a close, and hands out one window for each."""

    def __init__(self, segment: Segment, channel: int, wish: CandleWish, limit: int) -> None:
        self._look_back, self._depth = wish.look_back, segment.layout.depth
        self._rows = RowReader(segment, channel, replace(wish, look_back=self._depth), limit)

    @staticmethod
    def missed(rows: Rows, seen: Versions) -> bool:
        """A symbol of `rows` closed more than one candle since the version seen. The first time only the latest counts."""
        before = seen[rows.slots]
        return bool(np.any((rows.versions > before + 1) & (before > 0)))

    def read(self, slots: Slots) -> Rows:
        """Rows with the whole ring, for `windows`."""
        return self._rows.read(slots)

    def windows(self, rows: Rows, seen: Versions) -> Iterator[tuple[npt.NDArray[np.intp], Rows]]:
        """Oldest first, the places of symbols in `rows` and their rows with the candles as of one close.

        A window that the ring does not hold whole any more is left out: its answer would be another than in time.
        """
        assert rows.candles is not None
        assert rows.valid is not None
        before = seen[rows.slots]
        steps = np.where(before > 0, np.maximum(rows.versions - before, 1), 1)
        whole = np.where(rows.versions > self._depth, self._depth - self._look_back + 1, rows.versions)
        steps = np.minimum(steps, whole)
        wide = np.pad(rows.candles, ((0, 0), (0, 0), (self._look_back, 0)), constant_values=np.nan)
        for back in range(int(steps.max(initial=0)) - 1, -1, -1):
            places = np.flatnonzero(steps > back)
            end = wide.shape[2] - back
            candles = wide[:, places, end - self._look_back : end]
            candles.flags.writeable = False
            valid = np.minimum(rows.valid[places] - back, self._look_back).astype(np.int32)
            yield places, Rows(rows.slots[places], rows.versions[places], rows.tickers[places], candles, valid, 0)
