"""The oracle's market: each symbol's latest row and candles as plain Python objects, updated one row after the other.

Trades make candles of every interval that no recording brings; closed candles of the shortest interval brought count
as trades of their time, unless these came themselves.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.support.oracle_rows import SECOND, Kline, Row, Tick

HOUR = 3_600 * SECOND


@dataclass(frozen=True)
class Candle:
    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: float

    def with_trades(self, more: "Candle") -> "Candle":
        """This candle with later trades taken in."""
        high, low = max(self.high, more.high), min(self.low, more.low)
        volume, trades = self.volume + more.volume, self.trades + more.trades
        return replace(self, high=high, low=low, close=more.close, volume=volume, trades=trades)


@dataclass
class Symbol:
    name: str
    last: float = math.nan
    bid: float = math.nan
    ask: float = math.nan
    bid_size: float = math.nan
    ask_size: float = math.nan
    event_ns: int = 0
    traded_ns: int = 0
    opening: dict[int, float] = field(default_factory=dict)
    """Hour -> its first price."""
    closed: dict[int, list[Candle]] = field(default_factory=dict)
    """By the interval's seconds."""
    forming: dict[int, Candle] = field(default_factory=dict)
    late_before_ns: dict[int, int] = field(default_factory=dict)

    def candles(self, interval_s: int, most: int, forming: bool) -> list[Candle]:
        """The newest candles, oldest first."""
        closed = self.closed.get(interval_s, [])[-most:]
        if forming and interval_s in self.forming:
            return [*closed, self.forming[interval_s]][-most:]
        return closed

    @property
    def change_24h(self) -> float:
        """Against the first price of the 24 hours up to the newest one with a trade."""
        hours = [hour for hour in self.opening if hour > max(self.opening) - 24]
        return self.last / self.opening[min(hours)] - 1.0 if hours else math.nan


class Market:
    """Updates name the channels they touch: 0 is the ticker, an interval's seconds are its closed candles."""

    def __init__(self, kept_s: Iterable[int], brought_s: Iterable[int]) -> None:
        self.brought_s = set(brought_s)
        self.built_s = sorted(set(kept_s) - self.brought_s)
        self.symbols: dict[str, Symbol] = {}
        self.applied = 0
        self.touched: set[int] = set()
        """Channels touched since the last look; whoever looks clears it."""

    def apply(self, row: Row) -> None:
        symbol = self.symbols.setdefault(row.symbol, Symbol(row.symbol))
        if isinstance(row, Tick):
            self._tick(symbol, row)
        elif row.start_ns >= symbol.late_before_ns.get(row.interval_s, 0):
            self._kline(symbol, row)
        else:
            return
        self.applied += 1
        self.touched.add(0)

    def close_until(self, end_ns: int) -> None:
        """Close every candle that ended at or before `end_ns`."""
        for symbol in self.symbols.values():
            for interval_s, candle in list(symbol.forming.items()):
                if candle.start_ns + interval_s * SECOND <= end_ns:
                    self._close(symbol, interval_s, candle)

    def _tick(self, symbol: Symbol, tick: Tick) -> None:
        symbol.event_ns = max(symbol.event_ns, tick.event_ns)
        for name in ("bid", "ask", "bid_size", "ask_size"):
            if getattr(tick, name) is not None:
                setattr(symbol, name, getattr(tick, name))
        if tick.price is not None:
            symbol.last = tick.price
            if tick.qty is not None:
                symbol.traded_ns = max(symbol.traded_ns, tick.event_ns)
                price = tick.price
                trade = Candle(tick.event_ns, price, price, price, price, tick.qty, 1)
                self._note_hour(symbol, trade)
                for interval_s in self.built_s:
                    self._trade(symbol, interval_s, trade)

    def _kline(self, symbol: Symbol, kline: Kline) -> None:
        length_ns = kline.interval_s * SECOND
        end_ns = kline.start_ns + length_ns
        known_ns = end_ns if kline.closed else max(kline.start_ns, kline.known_ns)
        if known_ns >= symbol.event_ns:
            symbol.event_ns, symbol.last = known_ns, kline.close
        candle = Candle(kline.start_ns, kline.open, kline.high, kline.low, kline.close, kline.volume, kline.trades)
        before = symbol.forming.pop(kline.interval_s, None)
        if before is not None and before.start_ns < kline.start_ns:
            self._close(symbol, kline.interval_s, before)
        if not kline.closed:
            symbol.forming[kline.interval_s] = replace(candle, trades=max(1, candle.trades))
            symbol.late_before_ns[kline.interval_s] = kline.start_ns
            return
        self._close(symbol, kline.interval_s, candle)
        if kline.interval_s == min(self.brought_s) and symbol.traded_ns < kline.start_ns:
            self._note_hour(symbol, candle)
            for longer_s in self.built_s:
                if longer_s > kline.interval_s and longer_s % kline.interval_s == 0:
                    taken = self._trade(symbol, longer_s, replace(candle, trades=max(1, candle.trades)))
                    if taken and end_ns % (longer_s * SECOND) == 0:
                        self._close(symbol, longer_s, symbol.forming[longer_s])

    def _trade(self, symbol: Symbol, interval_s: int, trade: Candle) -> bool:
        """Take trades into the interval's candle, unless they come too late for it."""
        if trade.start_ns < symbol.late_before_ns.get(interval_s, 0):
            return False
        candle = symbol.forming.get(interval_s)
        if candle is not None and trade.start_ns >= candle.start_ns + interval_s * SECOND:
            self._close(symbol, interval_s, candle)
            candle = None
        start_ns = trade.start_ns // (interval_s * SECOND) * interval_s * SECOND
        symbol.forming[interval_s] = replace(trade, start_ns=start_ns) if candle is None else candle.with_trades(trade)
        symbol.late_before_ns[interval_s] = symbol.forming[interval_s].start_ns
        return True

    def _close(self, symbol: Symbol, interval_s: int, candle: Candle) -> None:
        symbol.forming.pop(interval_s, None)
        symbol.closed.setdefault(interval_s, []).append(candle)
        symbol.late_before_ns[interval_s] = candle.start_ns + interval_s * SECOND
        self.touched |= {0, interval_s}

    def _note_hour(self, symbol: Symbol, trade: Candle) -> None:
        symbol.opening.setdefault(trade.start_ns // HOUR, trade.open)
