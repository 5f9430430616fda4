"""SymbolSlots: the slots of the symbols of a table, in the feed's present segment."""

import numpy as np
from numpy.typing import NDArray

from tickflag.services.dashboard.hub.engine.market_view import MarketView
from tickflag.services.dashboard.hub.matches.names import Names


class SymbolSlots:
    """Looks each symbol up once, and again where the segment is another one or has more symbols. One thread."""

    def __init__(self) -> None:
        self._slots = np.zeros(0, np.int64)
        self._segment = (0, 0)

    def of(self, symbols: Names, market: MarketView) -> NDArray[np.int64]:
        """By number of the symbol: its slot; -1 where the segment does not have it."""
        segment = (market.generation, len(market.names))
        done = len(self._slots) if segment == self._segment else 0
        if done != len(symbols) or segment != self._segment:
            fresh = market.slots(symbols.names[done:])
            self._slots = np.concatenate((self._slots[:done], np.array(fresh, np.int64)))
            self._segment = segment
        return self._slots
