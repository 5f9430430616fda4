"""What a trader looks at: read-only copies of the rows to evaluate. They are valid during the call only.

Prices and sizes are floats, NaN where not known; times are UTC nanoseconds. Arrays have one entry a symbol and are
read-only; candle arrays are (symbol, look-back), oldest first, NaN on the left where a symbol is young.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tickflag.common.arrays import Floats, Integers, Mask, Records, SmallIntegers
from tickflag.common.segment.layout import STATUS_TRADING, TICKER
from tickflag.common.traderapi.candles import Candles
from tickflag.common.traderapi.declaration import Trader
from tickflag.common.traderapi.flags import FlagValue, value_of
from tickflag.common.traderapi.state import State

# The columns of a ticker row that traders see; the other fields are the engine's own.
COLUMNS = tuple(name for name in TICKER.names or () if name not in ("status", "last_ns"))

_UNDECLARED = {
    "candles": "no candles declared: set `candles` and `look_back` in the Trader",
    "_numbers": "no state: declare it in the Trader, as in `state={'seen': 0}`; symbols of `references` have none",
}


class Market:
    """The symbols to evaluate: `len(market)` of them, in the same order in every array."""

    __slots__ = ("_candles", "_flags", "_references", "_state", "_symbols", "_tickers", "time_ns")

    def __init__(
        self,
        trader: Trader,
        tickers: Records,
        candles: Floats | None,
        count: SmallIntegers | None,
        symbols: Callable[[], list[str]],
        time_ns: int,
        state: Records | None = None,
        references: "Mapping[str, Symbol | None] | None" = None,
        flags: Mapping[str, FlagValue] | None = None,
    ) -> None:
        self._flags = {} if flags is None else flags
        self._tickers = tickers
        self._symbols = symbols
        self._candles = (
            None
            if candles is None or count is None or trader.candles is None
            else Candles(trader.candles, trader.columns, candles, count)
        )
        self._state = state
        self._references = references
        self.time_ns = time_ns
        """The present, UTC; in a replay the recording's time."""

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
    def trading(self) -> Mask:
        """False for a symbol that is delisted. Such a symbol never matches; a ranking should leave it out."""
        return np.asarray(self._tickers["status"] == STATUS_TRADING)

    @property
    def recv_ns(self) -> Integers:
        """When the latest event was received."""
        return self._tickers["recv_ns"]

    @property
    def age_ns(self) -> Integers:
        """Time since the latest event."""
        return np.asarray(self.time_ns - self._tickers["event_ns"])

    @property
    def candles(self) -> Candles:
        """The declared candles. Raises where the trader declared none."""
        if self._candles is None:
            raise AttributeError(_UNDECLARED["candles"])
        return self._candles

    @property
    def state(self) -> State:
        """The declared numbers of these symbols. Raises where the trader declared none."""
        return State(self._numbers)

    def reference(self, name: str) -> "Symbol | None":
        """A symbol of `references`; None while it has no data. Raises LookupError for any other name."""
        if self._references is None or name not in self._references:
            raise LookupError(f'{name!r} is not declared: add it to `references`, with the scope "references"')
        return self._references[name]

    def on(self, flag: str) -> bool:
        """Whether a feature flag of `flags` is on for this trader. Raises LookupError for any other name."""
        return value_of(self._flags, flag).on

    def arm(self, flag: str) -> str | None:
        """The arm that this trader is in, in the experiment of a feature flag of `flags`; None for none."""
        return value_of(self._flags, flag).arm

    def symbol(self, i: int) -> "Symbol":
        """The i-th symbol by itself."""
        return Symbol(self, i)

    def to_pandas(self) -> Any:
        """Symbols and ticker columns as a pandas data frame, with the symbol as index. Needs pandas."""
        import pandas as pd

        return pd.DataFrame(self._columns(), index=pd.Index(self.symbols, name="symbol"))

    def to_polars(self) -> Any:
        """As `to_pandas`, for polars, with a column `symbol`. Needs polars."""
        import polars as pl

        return pl.DataFrame({"symbol": self.symbols, **self._columns()})

    if not TYPE_CHECKING:  # pragma: no branch - type checkers see only the properties above

        def __getattr__(self, name: str) -> Any:
            """Raise with the names there are. Python calls this also after a property raised: then raise the property's
            error again."""
            if name == "state":
                name = "_numbers"
            others = "symbols, trading, age_ns, time_ns, candles, state"
            unknown = f"a market has no {name!r}; it has {others}, {', '.join(COLUMNS)}"
            raise AttributeError(_UNDECLARED.get(name, unknown))

    @property
    def _numbers(self) -> Records:
        if self._state is None:
            raise AttributeError(_UNDECLARED["_numbers"])
        return self._state

    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        return {name: np.array(self._tickers[name]) for name in COLUMNS}


class Symbol:
    """One symbol of a market: the columns of `Market` as single numbers, and the symbol's candles as arrays."""

    __slots__ = ("_i", "_market", "_row")

    def __init__(self, market: Market, i: int) -> None:
        self._market = market
        self._i = i
        self._row: Any = market._tickers[i]

    def __getattr__(self, column: str) -> float:
        if column in ("candles", "state"):
            getattr(self._market, column)  # raises, and tells what to declare
        if column not in COLUMNS:
            others = "name, trading, age_ns, candles, state"
            raise AttributeError(f"a symbol has no {column!r}; it has {others}, {', '.join(COLUMNS)}")
        return self._row[column].item()  # type: ignore[no-any-return] # the dtype's fields are numbers

    @property
    def name(self) -> str:
        return self._market.symbols[self._i]

    @property
    def time_ns(self) -> int:
        return self._market.time_ns

    @property
    def trading(self) -> bool:
        return bool(self._row["status"] == STATUS_TRADING)

    @property
    def age_ns(self) -> int:
        return self._market.time_ns - int(self._row["event_ns"])

    @property
    def candles(self) -> Candles:
        return self._market.candles.of(self._i)

    @property
    def state(self) -> State:
        return State(self._market._numbers[self._i])

    def reference(self, name: str) -> "Symbol | None":
        return self._market.reference(name)

    def on(self, flag: str) -> bool:
        return self._market.on(flag)

    def arm(self, flag: str) -> str | None:
        return self._market.arm(flag)
