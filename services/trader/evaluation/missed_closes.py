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
        """A symbol of `rows` closed more than one candle since the version seen. The first time only the latest
        counts."""
        return bool(np.any(_closed(rows, seen) > 1))

    def read(self, slots: Slots) -> Rows:
        """Rows with the whole ring, for `lost` and `windows`."""
        return self._rows.read(slots)

    def lost(self, rows: Rows, seen: Versions) -> int:
        """How many closes the ring does not hold with a whole look-back any more."""
        return int(np.maximum(_closed(rows, seen) - self._whole(rows), 0).sum())

    def windows(self, rows: Rows, seen: Versions) -> Iterator[Rows]:
        """Oldest first, `rows` with their candles as of one close. Those that closed less often join later; the last
        window is of all.

        A window that the ring does not hold whole any more is left out: its answer would be another than in time.
        """
        assert rows.candles is not None
        assert rows.valid is not None
        closes = np.minimum(_closed(rows, seen), self._whole(rows))
        wide = np.pad(rows.candles, ((0, 0), (0, 0), (self._look_back, 0)), constant_values=np.nan)
        for back in range(int(closes.max(initial=0)) - 1, -1, -1):
            places = np.flatnonzero(closes > back)
            tickers = rows.tickers[places]
            end = wide.shape[2] - back
            candles = wide[:, places, end - self._look_back : end]
            valid = np.minimum(rows.valid[places] - back, self._look_back).astype(np.int32)
            for array in (tickers, candles, valid):
                array.flags.writeable = False
            yield Rows(rows.slots[places], rows.versions[places], tickers, candles, valid, 0)

    def _whole(self, rows: Rows) -> Versions:
        """How many of the newest closes have their look-back in the ring, NaN where the symbol was young."""
        return np.where(rows.versions > self._depth, self._depth - self._look_back + 1, rows.versions)


def _closed(rows: Rows, seen: Versions) -> Versions:
    """How many candles closed since the version seen, at least one."""
    before = seen[rows.slots]
    return np.where(before > 0, np.maximum(rows.versions - before, 1), 1)
