"""The candles of one symbol and interval: forming, closed, and who brings them."""

import math
from dataclasses import dataclass, field

from tests.support.oracles.brute_force.figures import TradeKey, is_earlier
from tests.support.oracles.brute_force.rows import SECOND, BruteKline, grid_start

NAN = math.nan


@dataclass
class BruteCandle:
    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: float
    open_key: TradeKey
    close_key: TradeKey
    brought: bool = False
    begun_ns: int = 0
    """The time of the piece that it began with."""

    def add(self, piece: "BruteCandle") -> None:
        """Count a trade or a shorter candle in."""
        if is_earlier(piece.open_key, self.open_key):
            self.open_key, self.open = piece.open_key, piece.open
        if not is_earlier(piece.close_key, self.close_key):
            self.close_key, self.close = piece.close_key, piece.close
        self.high, self.low = max(self.high, piece.high), min(self.low, piece.low)
        self.volume += piece.volume
        self.trades += piece.trades

    @property
    def row(self) -> tuple[float, ...]:
        numbers = self.open, self.high, self.low, self.close, self.volume, self.trades
        return (float(self.start_ns // SECOND), *map(float, numbers))


def trade_piece(key: TradeKey, price: float, qty: float) -> BruteCandle:
    """A trade as a candle of its own."""
    return BruteCandle(key[0], price, price, price, price, qty, 1.0, key, key)


def brought_candle(kline: BruteKline) -> BruteCandle:
    """A candle as its source has it."""
    first, last = (kline.start_ns, 0), (max(kline.start_ns, kline.event_ns), 0)
    return BruteCandle(
        kline.start_ns,
        kline.open,
        kline.high,
        kline.low,
        kline.close,
        kline.volume,
        kline.trades,
        first,
        last,
        brought=True,
    )


def base_piece(candle: BruteCandle, length_ns: int, volume: float, trades: float) -> BruteCandle:
    """A candle as a part of a longer one: it begins with its first moment and ends with its last. `volume` and
    `trades` are what trades did not bring already."""
    numbers = candle.open, candle.high, candle.low, candle.close, volume, trades
    return BruteCandle(candle.start_ns, *numbers, (candle.start_ns, 0), (candle.start_ns + length_ns - 1, 0))


@dataclass
class BruteInterval:
    length_ns: int
    covered_ns: int
    """The market is known from here on."""
    forming: BruteCandle | None = None
    closed: list[tuple[float, ...]] = field(default_factory=list)
    closed_end_ns: int = 0
    owned: list[tuple[int, int]] = field(default_factory=list)
    """Spans of time whose candles the source brings."""
    stated_ns: int = 0
    """The time of what the source said of the forming candle; 0 where it is made of trades alone."""
    stated_id: int = 0
    """The trade that the source named as the last one in it; 0 where it named none."""
    missed: set[int] = field(default_factory=set)
    """Starts of the candles of which trades came while the one before was still open."""

    @property
    def late_before_ns(self) -> int:
        return self.closed_end_ns if self.forming is None else self.forming.start_ns

    @property
    def end_ns(self) -> int | None:
        return None if self.forming is None else self.forming.start_ns + self.length_ns

    def is_owned(self, time_ns: int) -> bool:
        return any(begin <= time_ns < end for begin, end in self.owned)

    def own(self, kline: BruteKline) -> None:
        span = kline.start_ns, min(kline.start_ns + 3 * kline.length_ns, kline.last_end_ns)
        if self.owned and self.owned[-1][0] <= span[0] <= self.owned[-1][1]:
            self.owned[-1] = self.owned[-1][0], max(self.owned[-1][1], span[1])
        else:
            self.owned.append(span)

    def add_beside(self, trade: BruteCandle, newest: bool) -> None:
        """Count a trade in until the source's next word: it may be newer than the last one. `newest`: no trade of the
        symbol is newer."""
        time_ns = trade.open_key[0]
        if time_ns < self.late_before_ns:
            return
        if self.end_ns is not None and time_ns >= self.end_ns:
            self.missed.add(grid_start(time_ns, self.length_ns))
        elif self.forming is None or time_ns > self.stated_ns:
            self.build(trade)
        elif 0 < self.stated_id < trade.open_key[1]:  # the word is of a later time, but of an older trade
            candle = self.forming
            close, close_key = (trade.close, trade.close_key) if newest else (candle.close, candle.close_key)
            candle.add(trade)
            candle.close, candle.close_key = close, close_key

    def states_newer(self, kline: BruteKline) -> bool:
        """Whether the source said something newer of this candle before."""
        candle = self.forming
        same = candle is not None and candle.start_ns == kline.start_ns
        return same and self.stated_ns > max(kline.start_ns, kline.event_ns)

    def bring(self, kline: BruteKline) -> None:
        """Replace the forming candle by what the source says."""
        self.forming = brought_candle(kline)
        self.stated_ns, self.stated_id = max(kline.start_ns, kline.event_ns), kline.last_id

    def build(self, piece: BruteCandle) -> None:
        """Count a piece in that is not late, and that the forming candle has room for."""
        if self.forming is None:
            start_ns = grid_start(piece.open_key[0], self.length_ns)
            numbers = piece.open, piece.high, piece.low, piece.close, piece.volume, piece.trades
            self.forming = BruteCandle(start_ns, *numbers, piece.open_key, piece.close_key, begun_ns=piece.open_key[0])
            self.stated_ns = 0
        else:
            self.forming.add(piece)

    def is_whole(self, candle: BruteCandle) -> bool:
        """Whether the candle's beginning is known."""
        if candle.brought:
            return True
        known = candle.start_ns >= self.covered_ns or candle.begun_ns == candle.start_ns
        return known and candle.start_ns not in self.missed

    @property
    def forming_row(self) -> tuple[float, ...] | None:
        """The forming candle as it is; without its open where its beginning is not known."""
        if self.forming is None:
            return None
        row = self.forming.row
        return row if self.is_whole(self.forming) else (row[0], NAN, *row[2:])

    def close(self) -> BruteCandle:
        """Close the forming candle. Of one that began before anything was known only the close is told."""
        candle = self.forming
        assert candle is not None
        row = candle.row
        self.closed.append(row if self.is_whole(candle) else (row[0], NAN, NAN, NAN, row[4], NAN, NAN))
        self.forming, self.closed_end_ns = None, candle.start_ns + self.length_ns
        return candle
