"""The 24 h figures: of the present hour and the 23 before, each with its first, highest, lowest price and volume."""

import math
from dataclasses import dataclass, field

from tests.support.oracles.brute_force.rows import SECOND

HOUR = 3_600 * SECOND
NAN = math.nan
TradeKey = tuple[int, int]
"""Event time and trade id; 0 where there is none."""


def is_earlier(one: TradeKey, other: TradeKey) -> bool:
    """Of trades of one time those without id come as they arrive."""
    return one[0] < other[0] or (one[0] == other[0] and 0 < one[1] < other[1])


@dataclass
class BruteHour:
    open_key: TradeKey
    open: float
    high: float
    low: float
    volume: float = 0.0
    lost: float = 0.0
    """What rounding took from the volume (Kahan's sum)."""

    def add_volume(self, volume: float) -> None:
        part = volume - self.lost
        total = self.volume + part
        self.lost, self.volume = (total - self.volume) - part, total


@dataclass
class BruteDay:
    hours: dict[int, BruteHour] = field(default_factory=dict)
    """Those that count: the present one and the 23 before, where there were trades."""
    stated: tuple[float, ...] | None = None
    """The venue's own figures, which count alone."""
    newest: int = -1
    """The newest hour with a trade."""
    clock: int = 0
    """The hour that the clock has come to."""

    def add(self, key: TradeKey, open_: float, high: float, low: float, volume: float) -> None:
        hour = key[0] // HOUR
        if self.stated is not None or (self.newest >= 0 and hour <= self.newest - 24):
            return
        self.newest = max(self.newest, hour)
        held = self.hours.setdefault(hour, BruteHour(key, open_, high, low))
        if is_earlier(key, held.open_key):
            held.open_key, held.open = key, open_
        held.high, held.low = max(held.high, high), min(held.low, low)
        held.add_volume(volume)
        self._drop()

    def age(self, hour: int) -> bool:
        """Let the clock come to an hour; tells whether an hour left the figures."""
        self.clock = max(self.clock, hour)
        return self._drop() and self.stated is None

    def _drop(self) -> bool:
        """Forget the hours that no longer count; tells whether there were any."""
        old = [hour for hour in self.hours if hour <= max(self.clock, self.newest) - 24]
        for hour in old:
            del self.hours[hour]
        return bool(old)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Open, high, low and volume."""
        if self.stated is not None:
            return self.stated
        if not self.hours:
            return NAN, NAN, NAN, 0.0
        every = self.hours.values()
        volume = math.fsum(hour.volume for hour in every)
        return (
            self.hours[min(self.hours)].open,
            max(hour.high for hour in every),
            min(hour.low for hour in every),
            volume,
        )
