"""Candles: the last candles of the symbols to evaluate, one array a column."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tickflag.common.arrays import Floats, SmallIntegers
from tickflag.common.segment.layout import CANDLE_FIELDS


class Candles:
    """Candles of one interval. Arrays are (symbol, look-back). A column that the trader did not declare raises.

    Of a closed candle that began before the data only time and close are known; the rest is NaN.
    """

    __slots__ = ("_columns", "_data", "count", "interval")

    def __init__(self, interval: str, columns: Sequence[str], data: Floats, count: SmallIntegers) -> None:
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

    if not TYPE_CHECKING:  # pragma: no branch - type checkers see only the properties above

        def __getattr__(self, name: str) -> Any:
            """Raise with the names there are. Python calls this also after a property raised: then raise the property's
            error again."""
            if name in CANDLE_FIELDS:
                return self.column(name)
            raise AttributeError(f"candles have no {name!r}; they have count, interval, {', '.join(self._columns)}")

    def of(self, i: int) -> "Candles":
        """The candles of the i-th symbol alone, as one-dimensional arrays."""
        return Candles(self.interval, self._columns, self._data[:, i], self.count[i : i + 1])
