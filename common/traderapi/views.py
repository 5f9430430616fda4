"""What a trader looks at: read-only copies of the rows it was called for. Valid during the call only.

Prices and sizes are floats, NaN where not known; times are UTC nanoseconds. Arrays have one entry a symbol and are
read-only; candle arrays are (symbol, look-back), oldest first, NaN on the left where a symbol is young.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from common.traderapi.declaration import Trader

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Candles:
    """The last candles of one interval, one array a column. A column the trader did not declare raises."""

    __slots__ = ("_columns", "_data", "count", "interval")

    def __init__(self, interval: str, columns: Sequence[str], data: Floats, count: npt.NDArray[np.int32]) -> None:
        self.interval = interval
        self._columns = columns
        self._data = data
        self.count = count
        """How many candles each symbol has, at most the look-back."""

    def column(self, name: str) -> Floats:
        if name not in self._columns:
            known = ", ".join(self._columns)
            raise AttributeError(f"candle column {name!r} is not declared: add it to `columns` (now {known})")
        column: Floats = self._data[self._columns.index(name)]
        return column

    @property
    def time(self) -> Floats:
        """Opening times, UTC seconds."""
        return self.column("time")

    @property
    def open(self) -> Floats:
        return self.column("open")

    @property
    def high(self) -> Floats:
        return self.column("high")

    @property
    def low(self) -> Floats:
        return self.column("low")

    @property
    def close(self) -> Floats:
        return self.column("close")

    @property
    def volume(self) -> Floats:
        return self.column("volume")

    @property
    def trades(self) -> Floats:
        return self.column("trades")

    def of(self, i: int) -> "Candles":
        """The candles of the i-th symbol alone, as one-dimensional arrays."""
        return Candles(self.interval, self._columns, self._data[:, i], self.count[i : i + 1])


class Market:
    """The symbols to evaluate. `len(market)` of them, in the same order in every array."""

    __slots__ = ("_candles", "_symbols", "_tickers", "time_ns")

    def __init__(
        self,
        trader: Trader,
        tickers: npt.NDArray[np.void],
        candles: Floats | None,
        count: npt.NDArray[np.int32] | None,
        symbols: Callable[[], list[str]],
        time_ns: int,
    ) -> None:
        self._tickers = tickers
        self._symbols = symbols
        self._candles = (
            None
            if candles is None or count is None or trader.candles is None
            else Candles(trader.candles, trader.columns, candles, count)
        )
        self.time_ns = time_ns
        """Now, UTC; a replay's recording time."""

    def __len__(self) -> int:
        return len(self._tickers)

    @property
    def symbols(self) -> list[str]:
        """Names of the symbols."""
        return self._symbols()

    @property
    def last(self) -> Floats:
        """Latest traded price."""
        return self._tickers["last"]

    @property
    def bid(self) -> Floats:
        return self._tickers["bid"]

    @property
    def ask(self) -> Floats:
        return self._tickers["ask"]

    @property
    def last_size(self) -> Floats:
        return self._tickers["last_size"]

    @property
    def bid_size(self) -> Floats:
        return self._tickers["bid_size"]

    @property
    def ask_size(self) -> Floats:
        return self._tickers["ask_size"]

    @property
    def volume(self) -> Floats:
        """Traded since the feed began."""
        return self._tickers["volume"]

    @property
    def open_24h(self) -> Floats:
        return self._tickers["open_24h"]

    @property
    def high_24h(self) -> Floats:
        return self._tickers["high_24h"]

    @property
    def low_24h(self) -> Floats:
        return self._tickers["low_24h"]

    @property
    def volume_24h(self) -> Floats:
        return self._tickers["volume_24h"]

    @property
    def change_24h(self) -> Floats:
        """Relative change: 0.01 is one percent up."""
        return self._tickers["change_24h"]

    @property
    def event_ns(self) -> Integers:
        """Time of the latest event, as its venue tells it."""
        return self._tickers["event_ns"]

    @property
    def age_ns(self) -> Integers:
        """Time since the latest event."""
        return np.asarray(self.time_ns - self._tickers["event_ns"])

    @property
    def candles(self) -> Candles:
        """The declared candles. Raises where the trader declared none."""
        if self._candles is None:
            raise AttributeError("no candles declared: set `candles` and `look_back` in the Trader")
        return self._candles

    def symbol(self, i: int) -> "Symbol":
        """The i-th symbol alone."""
        return Symbol(self, i)


class Symbol:
    """One symbol of a market. The columns of `Market`, as single numbers, and its candles as arrays."""

    __slots__ = ("_i", "_market", "_row")

    def __init__(self, market: Market, i: int) -> None:
        self._market = market
        self._i = i
        self._row: Any = market._tickers[i]

    def __getattr__(self, column: str) -> float:
        names = self._row.dtype.names
        if column not in names or column in ("spare",):
            raise AttributeError(f"a symbol has no {column!r}; it has name, candles, {', '.join(names[:-1])}")
        return self._row[column].item()  # type: ignore[no-any-return] # the dtype's fields are numbers

    @property
    def name(self) -> str:
        return self._market.symbols[self._i]

    @property
    def time_ns(self) -> int:
        return self._market.time_ns

    @property
    def candles(self) -> Candles:
        return self._market.candles.of(self._i)
