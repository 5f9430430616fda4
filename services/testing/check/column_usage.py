"""ColumnUsage: notes which columns a trader's code reads while it runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from tickflag.common.segment.layout import TICKER
from tickflag.common.traderapi import Candles, Market, Symbol

TICKER_COLUMNS = frozenset(TICKER.names or ())
_DERIVED = {"age_ns": "event_ns", "trading": "status"}  # property -> the column that it is made from


class ColumnUsage:
    """The names of ticker and candle columns read while `watching`."""

    def __init__(self) -> None:
        self.ticker: set[str] = set()
        self.candles: set[str] = set()
        self._properties: dict[CodeType, str] = {
            value.fget.__code__: name
            for kind in (Market, Symbol)
            for name, value in vars(kind).items()
            if isinstance(value, property) and value.fget is not None
        }

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note the columns that are read inside the block. Uses the thread's one profiler: no other may be set."""
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code is Candles.column.__code__:
            self.candles.add(frame.f_locals["name"])
        elif code is Symbol.__getattr__.__code__:
            self.ticker.add(frame.f_locals["column"])
        elif code in (Market.to_pandas.__code__, Market.to_polars.__code__):  # a data frame has all columns
            self.ticker |= TICKER_COLUMNS
        elif code in self._properties:
            name = self._properties[code]
            self.ticker |= {_DERIVED.get(name, name)} & TICKER_COLUMNS
