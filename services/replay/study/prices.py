"""Prices: what one symbol is worth as of the last cycle, and which symbols a trader watches."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from common.segment import Segment
from common.symbols import SymbolDirectory
from common.traderapi import Trader
from services.trader.watchlist import WatchList

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Prices:
    """By slot. The price is the last traded one; of a symbol that never traded, the middle of bid and ask."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self.directory = SymbolDirectory(segment)
        capacity = segment.layout.capacity
        self.now: Floats = np.full(capacity, np.nan)
        """NaN where there is none."""
        self.since_ns: Integers = np.zeros(capacity, np.int64)
        """Time of the first cycle in which the symbol had data; 0: none yet."""
        self._silent = True  # a symbol of the directory has no data yet

    def take(self, now_ns: int) -> None:
        """A cycle was closed: look at every row."""
        known = len(self.directory)
        count = self.directory.refresh()
        self._silent |= count > known
        arrays = self._segment.arrays
        if self._silent:
            held, since_ns = arrays.versions[:count] > 0, self.since_ns[:count]
            since_ns[held & (since_ns == 0)] = now_ns
            self._silent = not held.all()
        rows, now = arrays.tickers[:count], self.now[:count]
        np.copyto(now, rows["last"])
        quoted = np.flatnonzero(~(now > 0.0))  # a slot without data holds zeros
        if len(quoted):
            middle = (rows["bid"][quoted] + rows["ask"][quoted]) / 2.0
            now[quoted] = np.where(middle > 0.0, middle, np.nan)


class Watched:
    """The slots of the symbols that traders with one watch list may match; follows the symbol table."""

    def __init__(self, trader: Trader, capacity: int) -> None:
        self._list = WatchList(trader.watch, trader.exclude, capacity)
        self._known = 0
        self.slots: Integers = np.zeros(0, np.int64)

    def extend(self, names: Sequence[str]) -> None:
        """`names` are those of all slots."""
        if len(names) > self._known:
            self._known = len(names)
            self._list.extend(names)
            self.slots = np.flatnonzero(self._list.mask[: self._known])
