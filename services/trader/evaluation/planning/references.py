"""References: the symbols that every match of a trader depends on, read anew at each step."""

from collections.abc import Mapping, Sequence

import numpy as np

from tickflag.common.protocol.rows import CandleWish, RowReader
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.traderapi import Market, Symbol, Trader
from tickflag.services.trader.evaluation.switches import Switches


class References:
    """The rows of a trader's references, and whether they changed since the last commit."""

    def __init__(
        self, segment: Segment, channel: int, wish: CandleWish | None, trader: Trader, switches: Switches
    ) -> None:
        self._trader, self._switches = trader, switches
        self._names: Sequence[str] = trader.references
        self._rows = RowReader(segment, channel, wish, len(self._names))
        self._committed: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self._committed_rows: dict[str, int] = {}
        self._rows_read: dict[str, int] = {}
        self.symbols: Mapping[str, Symbol | None] | None = dict.fromkeys(self._names)
        """The references as read last; None for one without data."""

    def read(self, directory: SymbolDirectory, time_ns: int) -> bool:
        """Copy the rows; False where one stayed locked: then the step must be made again."""
        slots = [slot for name in self._names if (slot := directory.slot(name)) is not None]
        rows = self._rows.read(np.array(slots, np.int32))
        if rows.failed:
            return False
        names = [directory.names[slot] for slot in rows.slots]
        market = Market(
            self._trader, rows.tickers, rows.candles, rows.valid, lambda: names, time_ns, flags=self._switches.own
        )
        self._read = dict(zip(names, rows.versions.tolist(), strict=True))
        self._rows_read = dict(zip(names, rows.row_versions.tolist(), strict=True))
        self.symbols = dict.fromkeys(self._names) | {
            name: market.symbol(i) for i, name in enumerate(names) if self._read[name]
        }
        return True

    @property
    def changed(self) -> bool:
        """Whether a reference has another version than at the last commit."""
        return self._read != self._committed

    @property
    def moved(self) -> bool:
        """Whether anything in a reference's row has changed since the last commit."""
        return self._rows_read != self._committed_rows

    def commit(self) -> None:
        """Note that the step succeeded: the matches now depend on the versions read last."""
        self._committed, self._committed_rows = self._read, self._rows_read


class NoReferences:
    """For a trader that declares no references."""

    symbols: Mapping[str, Symbol | None] | None = None
    changed = moved = False

    def read(self, _directory: SymbolDirectory, _time_ns: int) -> bool:
        return True

    def commit(self) -> None:
        pass
