"""Prices: each symbol's price as of the last cycle, and the slots of the symbols that a trader watches."""

from collections.abc import Sequence

import numpy as np

from tickflag.common.arrays import Floats, Integers
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.traderapi import Trader
from tickflag.services.trader.evaluation.planning.watchlist import WatchList


class Prices:
    """Prices by slot: the last traded price, or the middle of bid and ask for a symbol that never traded."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self.directory = SymbolDirectory(segment)
        capacity = segment.layout.capacity
        self.now: Floats = np.full(capacity, np.nan)
        """NaN where a symbol has no price."""
        self.since_ns: Integers = np.zeros(capacity, np.int64)
        """Time of the first cycle in which the symbol had data; 0 before that."""
        self._silent = True  # whether some symbol of the directory has no data yet

    def refresh(self, now_ns: int, compare: bool = False) -> bool:
        """Read the price of every row, after a cycle was closed. With `compare`, gives whether one changed."""
        known = len(self.directory)
        count = self.directory.refresh()
        self._silent |= count > known
        arrays = self._segment.arrays
        if self._silent:
            held, since_ns = arrays.versions[:count] > 0, self.since_ns[:count]
            since_ns[held & (since_ns == 0)] = now_ns
            self._silent = not held.all()
        rows, now = arrays.tickers[:count], self.now[:count]
        before = now.copy() if compare else None
        np.copyto(now, rows["last"])
        quoted = np.flatnonzero(~(now > 0.0))  # a slot without data holds zeros
        if len(quoted):
            middle = (rows["bid"][quoted] + rows["ask"][quoted]) / 2.0
            now[quoted] = np.where(middle > 0.0, middle, np.nan)
        # Compared as bits, where NaN equals NaN: no price is 0, and every NaN is that of the line above.
        return before is not None and not np.array_equal(before.view(np.int64), now.view(np.int64))


class Watched:
    """The slots of the symbols on one watch list. `extend` it as the symbol table grows."""

    def __init__(self, trader: Trader, capacity: int) -> None:
        self._list = WatchList(trader.watch, trader.exclude, capacity)
        self._known = 0
        self.slots: Integers = np.zeros(0, np.int64)

    def extend(self, names: Sequence[str]) -> None:
        """Add the watched symbols that are new. `names` are the names of all slots."""
        if len(names) > self._known:
            self._known = len(names)
            self._list.extend(names)
            self.slots = np.flatnonzero(self._list.mask[: self._known])
