"""References: the symbols that every match of a trader depends on, read anew at each step."""

from collections.abc import Sequence

import numpy as np

from common.rows import CandleWish, RowReader
from common.segment import Segment
from common.symbols import SymbolDirectory
from common.traderapi import Market, Symbol
from services.trader.plugin import Plugin


class References:
    """Rows of a few symbols, and whether they changed since the last commit."""

    def __init__(self, segment: Segment, channel: int, wish: CandleWish | None, plugin: Plugin) -> None:
        self._plugin = plugin
        self._names: Sequence[str] = plugin.trader.references
        self._rows = RowReader(segment, channel, wish, len(self._names))
        self._committed: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self.symbols: dict[str, Symbol | None] = dict.fromkeys(self._names)
        """Those read last; None for one without data."""

    def read(self, directory: SymbolDirectory, time_ns: int) -> bool:
        """Copy the rows; False where one stayed locked, and the step must be made again."""
        slots = [slot for name in self._names if (slot := directory.slot(name)) is not None]
        rows = self._rows.read(np.array(slots, np.int32))
        if rows.failed:
            return False
        names = [directory.names[slot] for slot in rows.slots]
        trader, flags = self._plugin.trader, self._plugin.flags
        market = Market(trader, rows.tickers, rows.candles, rows.valid, lambda: names, time_ns, flags=flags)
        self._read = dict(zip(names, rows.versions.tolist(), strict=True))
        self.symbols = dict.fromkeys(self._names) | {
            name: market.symbol(i) for i, name in enumerate(names) if self._read[name]
        }
        return True

    @property
    def changed(self) -> bool:
        """One is another than at the last commit."""
        return self._read != self._committed

    def commit(self) -> None:
        self._committed = self._read
