"""MissedCloses: every candle that closed since a symbol was last evaluated, for traders that want each of them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tickflag.common.arrays import Slots, Versions
from tickflag.common.protocol.rows import CandleWish, RowReader, Rows
from tickflag.common.segment.segment import Segment


class MissedCloses:
    """Reads the whole ring of the symbols that missed a close, and gives one window of candles for each close."""

    def __init__(self, segment: Segment, channel: int, wish: CandleWish, limit: int) -> None:
        self._look_back, self._depth = wish.look_back, segment.layout.depth
        self._rows = RowReader(segment, channel, replace(wish, look_back=self._depth), limit)

    @staticmethod
    def missed(rows: Rows, seen: Versions) -> bool:
        """Whether a symbol of `rows` closed more than one candle since the version seen.

        For a symbol that was never evaluated only the latest close counts.
        """
        return bool(np.any(_closed(rows, seen) > 1))

    def read(self, slots: Slots) -> Rows:
        """The rows of `slots` with the whole ring, for `lost` and `windows`."""
        return self._rows.read(slots)

    def lost(self, rows: Rows, seen: Versions) -> int:
        """How many closes the ring no longer holds with their whole look-back."""
        return int(np.maximum(_closed(rows, seen) - self._whole(rows), 0).sum())

    def windows(self, rows: Rows, seen: Versions) -> Iterator[Rows]:
        """The rows as they were at each missed close, the oldest close first. A symbol with fewer missed closes joins
        later; the last window has all symbols.

        A window whose candles are not all in the ring any more is left out: its answer would differ from the one that
        a timely evaluation gives.
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
            yield Rows(rows.slots[places], rows.versions[places], tickers, candles, valid, 0, rows.row_versions[places])

    def _whole(self, rows: Rows) -> Versions:
        """How many of the newest closes have their whole look-back in the ring. A young symbol's look-back is filled
        up with NaN."""
        return np.where(rows.versions > self._depth, self._depth - self._look_back + 1, rows.versions)


def _closed(rows: Rows, seen: Versions) -> Versions:
    """How many candles closed since the version seen; at least one."""
    before = seen[rows.slots]
    return np.where(before > 0, np.maximum(rows.versions - before, 1), 1)
