"""A market in plain Python, one object a symbol: the same results as the feed's kernels, computed another way."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

HOUR_NS = 3_600_000_000_000


class ModelTrade(NamedTuple):
    """A trade. Trades compare by their time, then by their id, then by the order in which they came."""

    at_ns: int
    trade_id: int
    number: int
    price: float
    qty: float


@dataclass
class ModelCandle:
    start_ns: int
    inside: list[ModelTrade]
    known: bool
    """Whether the candle's beginning is known."""

    @property
    def open(self) -> float:
        return min(self.inside).price if self.known else math.nan

    @property
    def close(self) -> float:
        return max(self.inside).price

    @property
    def high(self) -> float:
        return max(trade.price for trade in self.inside)

    @property
    def low(self) -> float:
        return min(trade.price for trade in self.inside)

    @property
    def volume(self) -> float:
        return sum(trade.qty for trade in self.inside)

    @property
    def trades(self) -> int:
        return len(self.inside)

    @property
    def closed_row(self) -> list[float]:
        """The candle as a ring holds it."""
        time = self.start_ns // 1_000_000_000
        if not self.known:
            return [time, math.nan, math.nan, math.nan, self.close, math.nan, math.nan]
        return [time, self.open, self.high, self.low, self.close, self.volume, self.trades]


@dataclass
class ModelSymbol:
    updates: int = 0
    volume: float = 0.0
    event_ns: int = 0
    forming: dict[int, ModelCandle] = field(default_factory=dict)
    """Interval number -> candle."""
    closed: dict[int, list[ModelCandle]] = field(default_factory=dict)
    late_before_ns: dict[int, int] = field(default_factory=dict)
    trades: list[ModelTrade] = field(default_factory=list)
    """Each trade that came."""
    day: list[ModelTrade] = field(default_factory=list)
    """Each trade that counts into the day."""
    announced_ns: int = 0
    pending_ns: int = 0

    @property
    def last(self) -> float:
        """The price of the newest trade, whenever that came."""
        return max(self.trades).price if self.trades else math.nan


@dataclass
class ModelChannel:
    cycle: int = 1
    """The open cycle."""
    flagged: set[int] = field(default_factory=set)
    oldest_ns: int = 0
    announced: dict[int, dict[int, int]] = field(default_factory=dict)
    """Cycle -> slot -> version at its last flag (in an interval's channel, the number of closed candles)."""


@dataclass(frozen=True)
class ModelAnnouncement:
    """What a swap tells of one channel."""

    channel: int
    cycle: int
    flagged: int
    oldest_ns: int


class MarketModel:
    """A market of trades only: the feed builds every candle. Takes the arguments of Market."""

    def __init__(
        self, intervals_ns: tuple[int, ...], rate_limit_ns: int, watermark_ns: int, covered_ns: int = 0
    ) -> None:
        self.intervals_ns = intervals_ns
        self.covered_ns = covered_ns
        self.rate_limit_ns = rate_limit_ns
        self.watermark_ns = watermark_ns
        self.symbols: dict[int, ModelSymbol] = {}
        self.channels = [ModelChannel() for _ in range(1 + len(intervals_ns))]
        self.applied = 0
        """Trades that were applied."""
        self.late = 0
        """Trades that came too late for one of their candles."""
        self.doubles = 0
        """Trades that came a second time."""
        self.day_hour = 0
        """The hour to which the clock has come."""

    def begin_generation(self) -> None:
        """Begin all cycles again. The symbols stay, and what they hold counts as announced before the first cycle."""
        self.channels = [ModelChannel() for _ in self.channels]
        for number, channel in enumerate(self.channels):
            channel.announced[0] = {slot: self.version(number, slot) for slot in self.symbols}

    def trade(self, slot: int, event_ns: int, price: float, qty: float, now_ns: int, trade_id: int = 0) -> None:
        symbol = self.symbols.setdefault(slot, ModelSymbol())
        if trade_id and any((trade.at_ns, trade.trade_id) == (event_ns, trade_id) for trade in symbol.trades):
            self.doubles += 1
            return
        trade = ModelTrade(event_ns, trade_id, len(symbol.trades), price, qty)
        symbol.trades.append(trade)
        self.applied += 1
        symbol.updates += 1
        symbol.event_ns = max(symbol.event_ns, event_ns)
        symbol.volume += qty
        newest = max((counted.at_ns // HOUR_NS for counted in symbol.day), default=0)
        if event_ns // HOUR_NS > newest - 24:
            symbol.day.append(trade)
        closed = []
        late = False
        for k, length in enumerate(self.intervals_ns):
            if event_ns < symbol.late_before_ns.get(k, 0):
                late = True
                continue
            forming = symbol.forming.get(k)
            if forming is not None and event_ns >= forming.start_ns + length:
                self._close(symbol, k)
                closed.append(k)
                forming = None
            if forming is None:
                start = event_ns // length * length
                known = start >= self.covered_ns or start == event_ns
                symbol.forming[k] = ModelCandle(start, [trade], known)
                symbol.late_before_ns[k] = start
            else:
                forming.inside.append(trade)
        self.late += late
        self._updated(slot, closed, now_ns)

    def close_due(self, event_ns: int, now_ns: int) -> int:
        """Close every candle that ended `watermark_ns` ago, and let the figures of 24 hours age; gives how many candles
        closed."""
        n = 0
        was, self.day_hour = self.day_hour, max(self.day_hour, (event_ns - self.watermark_ns) // HOUR_NS)
        for slot, symbol in sorted(self.symbols.items()):
            closed = [
                k
                for k, candle in symbol.forming.items()
                if candle.start_ns + self.intervals_ns[k] <= event_ns - self.watermark_ns
            ]
            for k in closed:
                self._close(symbol, k)
            if closed or self._inside(symbol, was) != self._inside(symbol, self.day_hour):
                symbol.updates += 1
                self._updated(slot, closed, now_ns)
            n += len(closed)
        return n

    def announce_due(self, now_ns: int, everything: bool = False) -> int:
        """Announce what the rate limit has put off long enough, or everything; gives how many symbols."""
        n = 0
        for slot, symbol in self.symbols.items():
            if symbol.pending_ns and (everything or symbol.announced_ns + self.rate_limit_ns <= now_ns):
                self._announce(slot, now_ns)
                n += 1
        return n

    def swap(self) -> list[ModelAnnouncement]:
        """Close the cycle of each channel with flags."""
        told = []
        for number, channel in enumerate(self.channels):
            if channel.flagged:
                told.append(ModelAnnouncement(number, channel.cycle, len(channel.flagged), channel.oldest_ns))
                channel.cycle += 1
                channel.flagged = set()
                channel.oldest_ns = 0
        return told

    def version(self, channel: int, slot: int) -> int:
        """The version that a reader of the channel compares."""
        symbol = self.symbols[slot]
        return 2 * symbol.updates if channel == 0 else len(symbol.closed.get(channel - 1, []))

    def day(self, slot: int) -> tuple[float, float, float, float]:
        """Open, high, low and volume of the 24 hours up to the newest trade, or to the clock."""
        inside = self._inside(self.symbols[slot], self.day_hour)
        if not inside:
            return math.nan, math.nan, math.nan, 0.0
        prices = [trade.price for trade in inside]
        return min(inside).price, max(prices), min(prices), math.fsum(trade.qty for trade in inside)

    def _inside(self, symbol: ModelSymbol, day_hour: int) -> list[ModelTrade]:
        """The trades of the 24 hours up to the newest trade, or to this hour."""
        newest = max((trade.at_ns // HOUR_NS for trade in symbol.day), default=0)
        return [trade for trade in symbol.day if trade.at_ns // HOUR_NS > max(newest, day_hour) - 24]

    def _close(self, symbol: ModelSymbol, k: int) -> None:
        candle = symbol.forming.pop(k)
        symbol.closed.setdefault(k, []).append(candle)
        symbol.late_before_ns[k] = candle.start_ns + self.intervals_ns[k]

    def _updated(self, slot: int, closed: list[int], now_ns: int) -> None:
        symbol = self.symbols[slot]
        for k in closed:
            self._flag(1 + k, slot, now_ns)
        too_soon = symbol.announced_ns and now_ns - symbol.announced_ns < self.rate_limit_ns
        if slot in self.channels[0].flagged:
            self.channels[0].announced[self.channels[0].cycle][slot] = self.version(0, slot)
        elif too_soon:
            symbol.pending_ns = symbol.pending_ns or now_ns
        else:
            self._announce(slot, now_ns)

    def _announce(self, slot: int, now_ns: int) -> None:
        symbol = self.symbols[slot]
        self._flag(0, slot, symbol.pending_ns or now_ns)
        symbol.announced_ns, symbol.pending_ns = now_ns, 0

    def _flag(self, number: int, slot: int, oldest_ns: int) -> None:
        channel = self.channels[number]
        channel.flagged.add(slot)
        channel.oldest_ns = min(channel.oldest_ns or oldest_ns, oldest_ns)
        channel.announced.setdefault(channel.cycle, {})[slot] = self.version(number, slot)
