"""A symbol's row and candles, updated one row after the other. Each update names the channels that it touches."""

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support.oracles.brute_force.candles import (
    BruteCandle,
    BruteInterval,
    base_piece,
    brought_candle,
    trade_piece,
)
from tests.support.oracles.brute_force.figures import HOUR, BruteDay, TradeKey, is_earlier
from tests.support.oracles.brute_force.rows import SECOND, BruteKline, BruteRow, BruteTick, grid_start

NAN = math.nan
NEVER = 1 << 62
AHEAD_NS, BEHIND_NS = 60 * SECOND, 604_800 * SECOND
ROUNDING = 1e-9
"""Of a candle's volume: sums of the same trades differ by less."""
QUIET_NS = 2 * SECOND  # a quiet market begins no recording on the dot


@dataclass
class BruteCounts:
    """What of a symbol was left out."""

    late_ticks: int = 0
    double_trades: int = 0
    impossible_times: int = 0


@dataclass
class BruteSymbol:
    name: str
    intervals: dict[int, BruteInterval]
    held: BruteCandle | None = None
    """The candle of the base, the shortest interval that is brought, which did not count yet."""
    held_ns: int = 0
    """Its length."""
    base_ns: int = 0
    """The length of the base; 0 where no candle came."""
    shorter_ns: int = 0
    """The end of the base's candle in which a shorter interval began to be brought; 0 where none did."""
    counted: list[tuple[int, int]] = field(default_factory=list)
    """Spans of time whose candles counted in volume, 24 h figures and longer candles. None counts twice."""
    counts: BruteCounts = field(default_factory=BruteCounts)
    updates: int = 0
    last: float = NAN
    last_size: float = NAN
    last_ns: int = 0
    said_id: int = 0
    """The trade that was named with the last price said; 0 where none was."""
    trade_key: TradeKey = (0, 0)
    bid: float = NAN
    ask: float = NAN
    bid_size: float = NAN
    ask_size: float = NAN
    volume: float = 0.0
    event_ns: int = 0
    day: BruteDay = field(default_factory=BruteDay)
    traded: list[tuple[int, float]] = field(default_factory=list)
    """Times and sizes of the trades that counted, in the order of their times."""
    known_deals: set[TradeKey] = field(default_factory=set)

    @property
    def change_24h(self) -> float:
        opened = self.day.numbers[0]
        return self.last / opened - 1.0 if opened > 0 else NAN

    def tick(self, tick: BruteTick) -> set[int] | None:
        """Apply a tick; gives the lengths of the intervals of which a candle closed, None where it is left out."""
        if not -BEHIND_NS <= tick.event_ns - tick.known_ns <= AHEAD_NS:
            self.counts.impossible_times += 1
            return None
        key = tick.event_ns, tick.trade_id or 0
        if tick.price is not None and tick.trade_id:
            if key in self.known_deals:
                self.counts.double_trades += 1
                return None
            self.known_deals.add(key)
        self.updates += 1
        self.event_ns = max(self.event_ns, tick.event_ns)
        for name in ("bid", "ask", "bid_size", "ask_size"):
            if getattr(tick, name) is not None:
                setattr(self, name, getattr(tick, name))
        if tick.day is not None and tick.day[0] is not None:
            self.day.stated = tuple(NAN if number is None else number for number in tick.day)
        closed: set[int] = set()
        if tick.price is not None and tick.qty is None:
            self._say(tick.event_ns, tick.last_id, tick.price)
        elif tick.price is not None and tick.qty is not None:
            newest = not is_earlier(key, self.trade_key)
            if newest:
                self.last_size, self.trade_key = tick.qty, key
                if key[0] >= self.last_ns or 0 < self.said_id < key[1]:
                    self.last, self.last_ns = tick.price, key[0]
            self._trade(key, tick.price, tick.qty, newest, closed)
        return closed

    def _say(self, time_ns: int, last_id: int, price: float) -> None:
        """What a candle or a 24 h ticker says of the price: it may not know the trades after the one it names."""
        if time_ns >= self.last_ns and not 0 < last_id < self.trade_key[1]:
            self.last, self.last_ns, self.said_id = price, time_ns, last_id

    def _trade(self, key: TradeKey, price: float, qty: float, newest: bool, closed: set[int]) -> None:
        if any(begin <= key[0] < end for begin, end in self.counted):
            return  # it is in a candle that counted
        self.volume += qty
        self.day.add(key, price, price, price, qty)
        bisect.insort(self.traded, (key[0], qty))
        piece, late = trade_piece(key, price, qty), False
        for interval in self.intervals.values():
            if interval.is_owned(key[0]):
                interval.add_beside(piece, newest)
            else:
                late |= not self._build(interval, piece, closed)
        self.counts.late_ticks += late

    def _build(self, interval: BruteInterval, piece: BruteCandle, closed: set[int]) -> bool:
        """False where the piece is late."""
        time_ns = piece.open_key[0]
        if time_ns < interval.late_before_ns:
            return False
        if interval.end_ns is not None and time_ns >= interval.end_ns:
            self._close(interval, closed)
        interval.build(piece)
        return True

    def kline(self, kline: BruteKline) -> set[int] | None:
        """Apply a candle; gives what `tick` gives."""
        end_ns = kline.start_ns + kline.length_ns
        if max(kline.start_ns, kline.event_ns, end_ns if kline.closed else 0) > kline.known_ns + AHEAD_NS:
            self.counts.impossible_times += 1
            return None
        interval = self.intervals[kline.length_ns]
        is_base = self._is_base(kline)
        interval.own(kline)
        if kline.start_ns < interval.late_before_ns:
            repeated = bool(interval.closed) and interval.closed[-1][:6] == brought_candle(kline).row[:6]
            self.counts.double_trades += repeated and kline.closed
            self.counts.late_ticks += not (repeated and kline.closed)
            return None
        if not kline.closed and interval.states_newer(kline):
            self.counts.late_ticks += 1
            return None
        self.updates += 1
        time_ns = end_ns if kline.closed else max(kline.start_ns, kline.event_ns)
        self.event_ns = max(self.event_ns, time_ns)
        self._say(time_ns, kline.last_id, kline.close)
        closed: set[int] = set()
        if interval.forming is not None and interval.forming.start_ns < kline.start_ns:
            self._close(interval, closed)
        interval.bring(kline)
        if is_base:
            self._hold_base(kline, closed)
        if kline.closed:
            self._close(interval, closed)
        return closed

    def _is_base(self, kline: BruteKline) -> bool:
        """Whether the candle is one of the base: the shortest interval, from the end of the base's candle on; a longer
        one where the base is no longer brought."""
        if kline.length_ns == self.base_ns or self.base_ns == 0:
            return True
        if kline.length_ns > self.base_ns:
            return kline.start_ns >= self.intervals[self.base_ns].owned[-1][1]
        if self.shorter_ns == 0:
            self.shorter_ns = next(
                at for at in range(kline.start_ns, NEVER, SECOND) if grid_start(at, self.base_ns) == at
            )
        counted_ns = self.held.start_ns + self.held_ns if self.held is not None else self.counted[-1][1]
        return kline.start_ns >= max(counted_ns, self.shorter_ns)

    def _hold_base(self, kline: BruteKline, closed: set[int]) -> None:
        """Keep a candle of the base until it is final, its successor comes or the watermark passes its end."""
        if self.held is not None and self.held.start_ns < kline.start_ns:
            self._count_base(closed)
        if kline.length_ns != self.base_ns:
            self.shorter_ns = 0
        self.held, self.held_ns, self.base_ns = brought_candle(kline), kline.length_ns, kline.length_ns
        if kline.closed:
            self._count_base(closed)

    def close_until(self, time_ns: int) -> set[int] | None:
        """Close every candle that ended by `time_ns`. That of the base counts in longer ones before these close."""
        closed: set[int] = set()
        counted = self.held is not None and self.held.start_ns + self.held_ns <= time_ns
        if counted:
            self._count_base(closed)
        for interval in self.intervals.values():
            if interval.end_ns is not None and interval.end_ns <= time_ns:
                self._close(interval, closed)
        aged = self.day.age(time_ns // HOUR)
        return closed if counted or closed or aged else None

    def _close(self, interval: BruteInterval, closed: set[int]) -> None:
        interval.close()
        closed.add(interval.length_ns)

    def _count_base(self, closed: set[int]) -> None:
        """Count what the candle of the base states beyond the trades of its span, in all that is made of it."""
        candle, self.held = self.held, None
        assert candle is not None
        span = candle.start_ns, candle.start_ns + self.held_ns
        if any(begin < span[1] and span[0] < end for begin, end in self.counted):
            return
        sizes = [qty for time_ns, qty in self.traded if span[0] <= time_ns < span[1]]
        volume, trades = candle.volume - sum(sizes), max(0.0, candle.trades - len(sizes))
        if volume <= candle.volume * ROUNDING:
            volume = 0.0
        if self.counted and self.counted[-1][1] == span[0]:
            span = self.counted.pop()[0], span[1]
        self.counted.append(span)
        self.volume += volume
        self.day.add((candle.start_ns, 0), candle.open, candle.high, candle.low, volume)
        piece, late = base_piece(candle, self.held_ns, volume, trades), False
        for longer in self.intervals.values():
            if longer.length_ns > self.held_ns and longer.length_ns % self.held_ns == 0:
                if longer.is_owned(candle.start_ns):
                    continue
                late |= not self._build(longer, piece, closed)
                if longer.end_ns == candle.start_ns + self.held_ns:
                    self._close(longer, closed)
        self.counts.late_ticks += late and volume > 0


class BruteMarket:
    """All symbols. A channel is 0 for the ticker, else an interval's length in ns."""

    def __init__(self, rows: Iterable[BruteRow], lengths_ns: Iterable[int]) -> None:
        first = [row.covers_ns or row.known_ns for row in rows]
        self.covered_ns = (min(first, default=0) - QUIET_NS) // SECOND * SECOND
        self.lengths_ns = sorted(lengths_ns)
        self.symbols: dict[str, BruteSymbol] = {}

    def apply(self, row: BruteRow) -> set[int] | None:
        """Apply a row; gives the channels that it touches besides the ticker, None where it is left out."""
        symbol = self.symbols.get(row.symbol)
        if symbol is None:
            intervals = {length: BruteInterval(length, self.covered_ns) for length in self.lengths_ns}
            clock = max((one.day.clock for one in self.symbols.values()), default=0)
            symbol = self.symbols[row.symbol] = BruteSymbol(row.symbol, intervals)
            symbol.day.clock = clock
        return symbol.tick(row) if isinstance(row, BruteTick) else symbol.kline(row)

    def left_out(self) -> dict[str, dict[str, int]]:
        """Kind -> symbol -> how many updates were left out."""
        found: dict[str, dict[str, int]] = {}
        for name, symbol in self.symbols.items():
            for kind, count in vars(symbol.counts).items():
                if count:
                    found.setdefault(kind, {})[name] = count
        return found
