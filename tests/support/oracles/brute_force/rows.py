"""Rows of recordings, and their order within a replay. Times are UTC ns; None: not stated."""

from dataclasses import dataclass, field

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
WEEK = 7 * DAY


@dataclass(slots=True)
class BruteTick:
    known_ns: int
    event_ns: int
    symbol: str
    price: float | None = None
    qty: float | None = None
    bid: float | None = None
    ask: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    day: tuple[float | None, ...] | None = None
    """The venue's own open, high, low and volume of 24 hours."""
    trade_id: int | None = None
    stream: str = ""
    """`trade` or `aggTrade`, of a capture."""
    first_id: int = 0
    """Of an `aggTrade`: the first of the trades that it is made of. The last is `trade_id`."""
    last_id: int = 0
    """Of a 24 h ticker: the trade that it names as its last; 0 where it names none."""
    place: tuple[int, int] = (0, 0)
    """The file's number by name, then the place in the file."""
    covers_ns: int = 0
    """From when on its recording knows of the market; 0: from the row on."""

    @property
    def order(self) -> tuple[object, ...]:
        return self.known_ns, 1, self.trade_id or 0, self.place


@dataclass(slots=True)
class BruteKline:
    known_ns: int
    start_ns: int
    symbol: str
    length_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: float = 0
    closed: bool = True
    place: tuple[int, int] = (0, 0)
    last_end_ns: int = 0
    """When the last candle of this symbol and interval in all recordings ends."""
    event_ns: int = 0
    """The time of what a forming candle states."""
    last_id: int = 0
    """The trade that it names as its last; 0 where it names none."""
    covers_ns: int = 0
    """From when on its recording knows of the market: a file of candles from its first candle's beginning on, a capture
    from its first message on, whatever that is."""

    @property
    def order(self) -> tuple[object, ...]:
        return self.known_ns, 0, -self.length_ns, self.start_ns, self.place


BruteRow = BruteTick | BruteKline


@dataclass
class BruteRecording:
    """What a file holds."""

    rows: list[BruteRow] = field(default_factory=list)
    refused: int = 0


UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def length_ns(interval: str) -> int:
    """The length of `5m`, `1d`, `1w`."""
    return int(interval[:-1]) * UNIT_S[interval[-1]] * SECOND


def grid_start(time_ns: int, length: int) -> int:
    """When the candle that holds `time_ns` begins: weeks begin on Monday, everything else counts from 1970."""
    monday = 4 * DAY if length % WEEK == 0 else 0
    return (time_ns - monday) // length * length + monday
