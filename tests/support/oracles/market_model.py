"""A market in plain Python, one object a symbol: what the feed's kernels have to come to, said another way."""

import math
from dataclasses import dataclass, field

HOUR_NS = 3_600_000_000_000


@dataclass
class Candle:
    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: float

    @property
    def closed_row(self) -> list[float]:
        """As a ring holds it."""
        return [self.start_ns // 1_000_000_000, self.open, self.high, self.low, self.close, self.volume, self.trades]


@dataclass
class Symbol:
    updates: int = 0
    last: float = math.nan
    volume: float = 0.0
    event_ns: int = 0
    forming: dict[int, Candle] = field(default_factory=dict)
    """Interval number -> candle."""
    closed: dict[int, list[Candle]] = field(default_factory=dict)
    late_before_ns: dict[int, int] = field(default_factory=dict)
    trades: list[tuple[int, float, float]] = field(default_factory=list)
    """(hour, price, quantity) of each trade that counted into the day."""
    announced_ns: int = 0
    pending_ns: int = 0


@dataclass
class Channel:
    cycle: int = 1
    """The open one."""
    flagged: set[int] = field(default_factory=set)
    oldest_ns: int = 0
    announced: dict[int, dict[int, int]] = field(default_factory=dict)
    """Cycle -> slot -> version (closed candles, in an interval's channel) when it was last flagged."""


@dataclass(frozen=True)
class Announcement:
    """What a swap tells of one channel."""

    channel: int
    cycle: int
    flagged: int
    oldest_ns: int


class MarketModel:
    """Only trades; the feed builds every candle. Same arguments as Market."""

    def __init__(self, intervals_ns: tuple[int, ...], rate_limit_ns: int, watermark_ns: int) -> None:
        self.intervals_ns = intervals_ns
        self.rate_limit_ns = rate_limit_ns
        self.watermark_ns = watermark_ns
        self.symbols: dict[int, Symbol] = {}
        self.channels = [Channel() for _ in range(1 + len(intervals_ns))]
        self.applied = 0
        """Trades."""
        self.late = 0
        """Trades that came too late for one of their candles."""

    def begin_generation(self) -> None:
        """All cycles start again; the symbols stay, and what they hold counts as announced before the first cycle."""
        self.channels = [Channel() for _ in self.channels]
        for number, channel in enumerate(self.channels):
            channel.announced[0] = {slot: self.version(number, slot) for slot in self.symbols}

    def trade(self, slot: int, event_ns: int, price: float, qty: float, now_ns: int) -> None:
        symbol = self.symbols.setdefault(slot, Symbol())
        self.applied += 1
        symbol.updates += 1
        symbol.event_ns = max(symbol.event_ns, event_ns)
        symbol.last = price
        symbol.volume += qty
        newest = max((hour for hour, _, _ in symbol.trades), default=0)
        if event_ns // HOUR_NS > newest - 24:
            symbol.trades.append((event_ns // HOUR_NS, price, qty))
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
                symbol.forming[k] = Candle(start, price, price, price, price, qty, 1)
                symbol.late_before_ns[k] = start
            else:
                forming.high, forming.low = max(forming.high, price), min(forming.low, price)
                forming.close = price
                forming.volume += qty
                forming.trades += 1
        self.late += late
        self._updated(slot, closed, now_ns)

    def close_due(self, event_ns: int, now_ns: int) -> int:
        """Every candle that ended `watermark_ns` ago is closed; gives how many."""
        n = 0
        for slot, symbol in sorted(self.symbols.items()):
            closed = [
                k
                for k, candle in symbol.forming.items()
                if candle.start_ns + self.intervals_ns[k] <= event_ns - self.watermark_ns
            ]
            for k in closed:
                self._close(symbol, k)
            if closed:
                symbol.updates += 1
                self._updated(slot, closed, now_ns)
            n += len(closed)
        return n

    def announce_due(self, now_ns: int, everything: bool = False) -> int:
        """Announce what the rate limit put off long enough, or all of it; gives how many."""
        n = 0
        for slot, symbol in self.symbols.items():
            if symbol.pending_ns and (everything or symbol.announced_ns + self.rate_limit_ns <= now_ns):
                self._announce(slot, now_ns)
                n += 1
        return n

    def swap(self) -> list[Announcement]:
        """Close the cycle of each channel with flags."""
        told = []
        for number, channel in enumerate(self.channels):
            if channel.flagged:
                told.append(Announcement(number, channel.cycle, len(channel.flagged), channel.oldest_ns))
                channel.cycle += 1
                channel.flagged = set()
                channel.oldest_ns = 0
        return told

    def version(self, channel: int, slot: int) -> int:
        """What a reader of the channel compares."""
        symbol = self.symbols[slot]
        return 2 * symbol.updates if channel == 0 else len(symbol.closed.get(channel - 1, []))

    def day(self, slot: int) -> tuple[float, float, float, float]:
        """Open, high, low and volume of the 24 hours up to the newest trade's."""
        symbol = self.symbols[slot]
        newest = max(hour for hour, _, _ in symbol.trades)
        inside = [trade for trade in symbol.trades if trade[0] > newest - 24]
        first = min(hour for hour, _, _ in inside)
        prices = [price for _, price, _ in inside]
        opening = next(price for hour, price, _ in inside if hour == first)
        return opening, max(prices), min(prices), math.fsum(qty for _, _, qty in inside)

    def _close(self, symbol: Symbol, k: int) -> None:
        candle = symbol.forming.pop(k)
        symbol.closed.setdefault(k, []).append(candle)
        symbol.late_before_ns[k] = candle.start_ns + self.intervals_ns[k]

    def _updated(self, slot: int, closed: list[int], now_ns: int) -> None:
        symbol = self.symbols[slot]
        for k in closed:
            self._flag(1 + k, slot, now_ns)
        too_soon = symbol.announced_ns and now_ns - symbol.announced_ns < self.rate_limit_ns
        if too_soon:
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
