"""The oracle's market: each symbol's latest row and candles as plain Python objects, updated one row after the other.

What a symbol's recordings bring is not built. The shortest candles that they bring count as trades of their time, once
that is over, with what they state beyond the trades of that time.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.support.oracles.oracle_rows import Kline, Row, Tick
from tickflag.common.units import NS_PER_S

HOUR = 3_600 * NS_PER_S
MONDAY = 4 * 86_400 * NS_PER_S


@dataclass(frozen=True)
class OracleCandle:
    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: float
    first: tuple[int, int] = (0, 0)
    """Event time and id of the earliest trade in it."""
    last: tuple[int, int] = (0, 0)
    """Event time and id of the newest trade in it."""

    def with_trades(self, more: "OracleCandle") -> "OracleCandle":
        """This candle with more trades, wherever they stand in it."""
        earlier, newer = more.first < self.first, more.last >= self.last
        return OracleCandle(
            self.start_ns,
            more.open if earlier and not math.isnan(self.open) else self.open,
            max(self.high, more.high),
            min(self.low, more.low),
            more.close if newer else self.close,
            self.volume + more.volume,
            self.trades + more.trades,
            min(self.first, more.first),
            max(self.last, more.last),
        )

    def as_closed(self) -> "OracleCandle":
        """What is known of it once it is over: without its beginning, only the close."""
        if not math.isnan(self.open):
            return self
        return replace(self, high=math.nan, low=math.nan, volume=math.nan, trades=math.nan)


@dataclass
class OracleSymbol:
    name: str
    last: float = math.nan
    bid: float = math.nan
    ask: float = math.nan
    bid_size: float = math.nan
    ask_size: float = math.nan
    event_ns: int = 0
    priced_ns: int = 0
    """Event time of the last price."""
    said_id: int = 0
    """The trade that the candle named which said the last price; 0 where it named none."""
    newest: tuple[int, int] = (0, 0)
    """Event time and id of the newest trade."""
    sizes: list[tuple[int, float]] = field(default_factory=list)
    """Event times and sizes of the trades that are not in a base candle that counted before they came."""
    over: set[tuple[int, int]] = field(default_factory=set)
    """Start and end of the base candles that counted."""
    clock_hour: int = 0
    known: set[tuple[int, int]] = field(default_factory=set)
    """Event time and id of all trades that have one."""
    opening: dict[int, OracleCandle] = field(default_factory=dict)
    """Hour -> its trades."""
    closed: dict[int, list[OracleCandle]] = field(default_factory=dict)
    """Interval in seconds -> its closed candles."""
    forming: dict[int, OracleCandle] = field(default_factory=dict)
    late_before_ns: dict[int, int] = field(default_factory=dict)
    owned_ns: dict[int, int] = field(default_factory=dict)
    """Interval -> event time until which the recordings bring it."""
    stated_ns: dict[int, int] = field(default_factory=dict)
    """Interval -> event time of what the recording said last of the forming candle."""
    stated_id: dict[int, int] = field(default_factory=dict)
    """Interval -> the trade that the recording named then as the last one; 0 where it named none."""
    missed: set[tuple[int, int]] = field(default_factory=set)
    """Interval and start of candles of which trades came while the one before was forming."""
    base: Kline | None = None
    """The newest candle of the shortest interval brought."""
    counted: bool = True
    """Whether the base candle counted already."""

    def candles(self, interval_s: int, most: int, forming: bool) -> list[OracleCandle]:
        """The newest candles, oldest first."""
        closed = self.closed.get(interval_s, [])[-most:]
        if forming and interval_s in self.forming:
            return [*closed, self.forming[interval_s]][-most:]
        return closed

    @property
    def hours(self) -> list[int]:
        """Those of the 24 hours that end with the newest candle with a trade, or with the clock."""
        return [hour for hour in self.opening if hour > max(self.clock_hour, *self.opening) - 24]

    @property
    def change_24h(self) -> float:
        """The change from the first price of the 24 hours."""
        return self.last / self.opening[min(self.hours)].open - 1.0 if self.hours else math.nan


class OracleMarket:
    """Updates name the channels that they touch: 0 is the ticker; a number of seconds is the closed candles of that
    interval."""

    def __init__(self, kept_s: Iterable[int], covered_ns: int = 0) -> None:
        self.kept_s = sorted(kept_s)
        self._covered_ns = max(0, covered_ns - 2 * NS_PER_S) // NS_PER_S * NS_PER_S
        self.symbols: dict[str, OracleSymbol] = {}
        self.applied = 0
        self.touched: set[int] = set()
        """Channels touched since somebody last read and cleared the set."""

    def apply(self, row: Row) -> None:
        symbol = self.symbols.setdefault(row.symbol, OracleSymbol(row.symbol))
        if isinstance(row, Tick):
            if row.trade_id and (row.event_ns, row.trade_id) in symbol.known:
                return
            self._tick(symbol, row)
        else:
            owned_ns = min(row.start_ns + 3 * row.interval_s * NS_PER_S, row.until_ns)
            symbol.owned_ns[row.interval_s] = max(symbol.owned_ns.get(row.interval_s, 0), owned_ns)
            if row.start_ns < symbol.late_before_ns.get(row.interval_s, 0):
                return
            self._kline(symbol, row, owned_ns)
        self.applied += 1
        self.touched.add(0)

    def close_until(self, end_ns: int) -> None:
        """Close every candle that ended at or before `end_ns`."""
        for symbol in self.symbols.values():
            before = symbol.hours
            symbol.clock_hour = max(symbol.clock_hour, end_ns // HOUR)
            self.touched |= {0} if symbol.hours != before else set()
            if symbol.base is not None and symbol.base.end_ns <= end_ns:
                self._count(symbol)
            for interval_s, candle in list(symbol.forming.items()):
                if candle.start_ns + interval_s * NS_PER_S <= end_ns:
                    self._close(symbol, interval_s, candle)

    def _tick(self, symbol: OracleSymbol, tick: Tick) -> None:
        symbol.event_ns = max(symbol.event_ns, tick.event_ns)
        for name in ("bid", "ask", "bid_size", "ask_size"):
            if getattr(tick, name) is not None:
                setattr(symbol, name, getattr(tick, name))
        if tick.price is None:
            return
        if tick.qty is None:
            self._say(symbol, tick.event_ns, 0, tick.price)
        else:
            at = tick.event_ns, tick.trade_id
            is_newest = at >= symbol.newest
            if is_newest:
                symbol.newest = at
                if at[0] >= symbol.priced_ns or 0 < symbol.said_id < at[1]:
                    symbol.last, symbol.priced_ns = tick.price, at[0]
            symbol.known |= {at} if tick.trade_id else set()
            if any(start_ns <= tick.event_ns < end_ns for start_ns, end_ns in symbol.over):
                return
            symbol.sizes.append((tick.event_ns, tick.qty))
            price = tick.price
            trade = OracleCandle(tick.event_ns, price, price, price, price, tick.qty, 1, at, at)
            self._note_hour(symbol, trade)
            for interval_s in self.kept_s:
                if tick.event_ns >= symbol.owned_ns.get(interval_s, 0):
                    self._trade(symbol, interval_s, trade)
                else:
                    self._trade_beside(symbol, interval_s, trade, is_newest)

    def _say(self, symbol: OracleSymbol, at_ns: int, last_id: int, price: float) -> None:
        """Take a price that is no trade. It does not know the trades after the one that it names."""
        if at_ns >= symbol.priced_ns and not 0 < last_id < symbol.newest[1]:
            symbol.last, symbol.priced_ns, symbol.said_id = price, at_ns, last_id

    def _kline(self, symbol: OracleSymbol, kline: Kline, owned_ns: int) -> None:
        known_ns = kline.end_ns if kline.closed else max(kline.start_ns, kline.event_ns)
        symbol.event_ns = max(symbol.event_ns, known_ns)
        self._say(symbol, known_ns, kline.last_id, kline.close)
        candle = _candle(kline)
        before = symbol.forming.pop(kline.interval_s, None)
        if before is not None and before.start_ns < kline.start_ns:
            self._close(symbol, kline.interval_s, before)
        if kline.closed:
            self._close(symbol, kline.interval_s, replace(candle, trades=kline.trades))
        else:
            symbol.forming[kline.interval_s] = candle
            symbol.stated_ns[kline.interval_s], symbol.stated_id[kline.interval_s] = known_ns, kline.last_id
            symbol.late_before_ns[kline.interval_s] = kline.start_ns
        if symbol.base is not None and kline.interval_s > symbol.base.interval_s:
            return
        if (
            symbol.base is not None
            and kline.interval_s == symbol.base.interval_s
            and kline.start_ns > symbol.base.start_ns
        ):
            self._count(symbol)
        symbol.base, symbol.counted = kline, False
        if kline.closed:
            self._count(symbol)

    def _count(self, symbol: OracleSymbol) -> None:
        """Let the base candle count as trades, unless it did."""
        kline = symbol.base
        if kline is None or symbol.counted:
            return
        symbol.counted = True
        symbol.over.add((kline.start_ns, kline.end_ns))
        sizes = [qty for at_ns, qty in symbol.sizes if kline.start_ns <= at_ns < kline.end_ns]
        beyond = kline.volume - math.fsum(sizes)
        candle = replace(
            _candle(kline),
            volume=beyond if beyond > 1e-9 * kline.volume else 0.0,
            trades=max(0, kline.trades - len(sizes)),
            last=(kline.end_ns - 1, 0),
        )
        self._note_hour(symbol, candle)
        for longer_s in self.kept_s:
            if longer_s <= kline.interval_s or longer_s % kline.interval_s:
                continue
            if kline.start_ns < symbol.owned_ns.get(longer_s, 0) or not self._trade(symbol, longer_s, candle):
                continue
            if kline.end_ns == _start_ns(kline.end_ns, longer_s):
                self._close(symbol, longer_s, symbol.forming[longer_s])

    def _trade_beside(self, symbol: OracleSymbol, interval_s: int, trade: OracleCandle, is_newest: bool) -> None:
        """Add a trade to a candle that a recording brings, if it is newer than what the recording said last."""
        candle = symbol.forming.get(interval_s)
        if candle is not None:
            if trade.start_ns >= candle.start_ns + interval_s * NS_PER_S:
                symbol.missed.add((interval_s, _start_ns(trade.start_ns, interval_s)))
                return
            if trade.start_ns <= symbol.stated_ns.get(interval_s, 0):
                if not 0 < symbol.stated_id.get(interval_s, 0) < trade.first[1]:
                    return
                if not is_newest:
                    trade = replace(trade, close=candle.close)
        self._trade(symbol, interval_s, trade)

    def _trade(self, symbol: OracleSymbol, interval_s: int, trade: OracleCandle) -> bool:
        """Add trades to the interval's candle, unless they come too late for it."""
        if trade.start_ns < symbol.late_before_ns.get(interval_s, 0):
            return False
        candle = symbol.forming.get(interval_s)
        if candle is not None and trade.start_ns >= candle.start_ns + interval_s * NS_PER_S:
            self._close(symbol, interval_s, candle)
            candle = None
        if candle is None:
            start_ns = _start_ns(trade.start_ns, interval_s)
            known = start_ns >= self._covered_ns or start_ns == trade.start_ns
            known = known and (interval_s, start_ns) not in symbol.missed
            symbol.stated_ns[interval_s] = symbol.stated_id[interval_s] = 0
            symbol.forming[interval_s] = replace(trade, start_ns=start_ns, open=trade.open if known else math.nan)
        else:
            symbol.forming[interval_s] = candle.with_trades(trade)
        symbol.late_before_ns[interval_s] = symbol.forming[interval_s].start_ns
        return True

    def _close(self, symbol: OracleSymbol, interval_s: int, candle: OracleCandle) -> None:
        symbol.forming.pop(interval_s, None)
        symbol.closed.setdefault(interval_s, []).append(candle.as_closed())
        symbol.late_before_ns[interval_s] = candle.start_ns + interval_s * NS_PER_S
        self.touched |= {0, interval_s}

    def _note_hour(self, symbol: OracleSymbol, trade: OracleCandle) -> None:
        hour = trade.start_ns // HOUR
        before = symbol.opening.get(hour)
        symbol.opening[hour] = trade if before is None else before.with_trades(trade)


def _candle(kline: Kline) -> OracleCandle:
    at = kline.start_ns, 0
    numbers = kline.open, kline.high, kline.low, kline.close, kline.volume, kline.trades
    return OracleCandle(kline.start_ns, *numbers, at, at)


def _start_ns(at_ns: int, interval_s: int) -> int:
    """Where the interval's candle at this time begins: weeks begin on Monday."""
    grid_ns = MONDAY if interval_s % (7 * 86_400) == 0 else 0
    return at_ns - (at_ns - grid_ns) % (interval_s * NS_PER_S)
