"""SyntheticSource: a made-up market that behaves like a real one: Zipf activity, quiet and busy phases, seeded.

Prices follow a random walk in logarithms that is pulled back to where it began, so that a long run stays sensible.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tickflag.common.arrays import Floats, Integers
from tickflag.common.recordings.interval import candle_start_ns
from tickflag.common.settings_schema.feed import SyntheticBlock
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire.arguments import Arguments
from tickflag.services.feed.market.updates import KLINE, Batch, ticks
from tickflag.services.feed.sources.source import Source, Venue

LEAST_STEP_NS = 2 * NS_PER_MS  # waking more often would cost more than it shows
ZIPF_EXPONENT = 1.1


def symbol_names(n: int, rng: np.random.Generator) -> list[str]:
    """`n` different pronounceable names, the same for the same generator."""
    consonants, vowels = "BDFGKLMNPRSTVZ", "AEIOU"
    names = ["".join(letters) for letters in itertools.product(consonants, vowels, consonants, vowels)]
    rng.shuffle(names)
    return [names[i % len(names)] + (str(i // len(names)) if i >= len(names) else "") for i in range(n)]


def zipf_shares(n: int, exponent: float = ZIPF_EXPONENT) -> Floats:
    """Share of the activity of the first, second, ... most active of `n` symbols."""
    weights = 1.0 / np.arange(1, n + 1) ** exponent
    return np.asarray(weights / weights.sum())


class SyntheticSource(Source):
    """The default source. Needs no files and no network; the same seed gives the same prices in the same order."""

    def __init__(self, settings: SyntheticBlock) -> None:
        self._settings = settings
        self._rng = np.random.default_rng(settings.seed)
        n = settings.symbols
        self._names = symbol_names(n, self._rng)
        self._start = np.exp(self._rng.normal(3.0, 1.5, n))
        self._walk = np.zeros(n)  # logarithm of price over start
        self._volatility = self._rng.uniform(0.0004, 0.002, n)
        self._cumulative = np.cumsum(self._rng.permutation(zipf_shares(n)))
        self._cumulative /= self._cumulative[-1]
        self._slots = np.zeros(n, np.int32)
        self._opened_ns = 0
        self._drained_ns = 0
        self._next_ns = 0
        self._burst = 0

    def open(self, venue: Venue) -> Sequence[Batch]:
        self._slots[:] = [venue.slot(name) for name in self._names]
        self._opened_ns = self._drained_ns = venue.monotonic_ns
        self._schedule(venue.monotonic_ns)
        return [self._history(seconds, venue.wall_ns) for seconds in venue.intervals_s if self._settings.history]

    def next_ns(self) -> int | None:
        return self._drained_ns if self._burst else self._next_ns

    def drain(self, monotonic_ns: int, wall_ns: int) -> Sequence[Batch]:
        batches = []
        if self._burst:
            n, self._burst = min(self._burst, len(self._slots)), 0
            batches.append(self._ticks(self._rng.choice(len(self._slots), n, replace=False), wall_ns))
        if monotonic_ns >= self._next_ns:
            elapsed = min(monotonic_ns - self._drained_ns, NS_PER_S)  # a market that paused does not catch up
            n = int(self._rng.poisson(self._rate(monotonic_ns) * elapsed / NS_PER_S))
            self._drained_ns = monotonic_ns
            self._schedule(monotonic_ns)
            if n:
                batches.append(self._ticks(np.searchsorted(self._cumulative, self._rng.random(n)), wall_ns))
        return batches

    def covered_ns(self, wall_ns: int) -> int:
        return 0  # nothing happened between the history and the start

    def command(self, name: str, arguments: Arguments) -> Any:
        """Carry out `burst`: in the next turn `symbols` symbols tick at once."""
        if name != "burst":
            return super().command(name, arguments)
        symbols = arguments.number("symbols", None, 1, len(self._slots))
        arguments.end()
        self._burst = symbols
        return {"symbols": symbols}

    def _rate(self, monotonic_ns: int) -> float:
        """Ticks a second. A quiet phase is followed by a busy one of a fifth of its length, and so on."""
        phase = (monotonic_ns - self._opened_ns) / NS_PER_S % (1.2 * self._settings.phase_s)
        return self._settings.rate * (self._settings.busy_factor if phase > self._settings.phase_s else 1.0)

    def _schedule(self, monotonic_ns: int) -> None:
        rate = self._rate(monotonic_ns)
        gap_ns = int(self._rng.exponential(NS_PER_S / rate)) if rate else NS_PER_S
        self._next_ns = monotonic_ns + max(LEAST_STEP_NS, min(gap_ns, NS_PER_S))

    def _ticks(self, symbols: Integers, wall_ns: int) -> Batch:
        n = len(symbols)
        step = self._rng.normal(0.0, 1.0, n) * self._volatility[symbols]
        np.add.at(self._walk, symbols, step)
        self._walk[symbols] *= 0.9995
        rows = ticks(n)
        price = self._start[symbols] * np.exp(self._walk[symbols])
        rows["slot"] = self._slots[symbols]
        rows["event_ns"] = rows["recv_ns"] = wall_ns
        rows["price"] = np.round(price, 4) + 0.0001
        rows["qty"] = np.ceil(self._rng.exponential(40.0, n))
        spread = price * self._volatility[symbols] * self._rng.uniform(0.2, 1.5, n)
        rows["bid"] = price - spread / 2
        rows["ask"] = price + spread / 2
        rows["bid_size"] = np.ceil(self._rng.exponential(200.0, n))
        rows["ask_size"] = np.ceil(self._rng.exponential(200.0, n))
        return Batch(rows)

    def _history(self, seconds: int, wall_ns: int) -> Batch:
        """Closed candles up to now; each symbol's last close is its starting price."""
        n, count = len(self._slots), self._settings.history
        steps = self._rng.normal(0.0, 1.0, (count, n)) * self._volatility * np.sqrt(seconds / 10.0)
        path = np.concatenate([np.cumsum(steps[::-1], axis=0)[::-1] * -1.0, np.zeros((1, n))])
        level = self._start * np.exp(path)
        opens, closes = level[:-1], level[1:]
        reach = np.abs(self._rng.normal(0.0, 0.5, (2, count, n))) * self._volatility * np.sqrt(seconds / 10.0)
        last_ns = candle_start_ns(wall_ns, seconds)
        rows = np.zeros((count, n), KLINE)
        rows["slot"] = self._slots
        rows["interval_s"] = seconds
        rows["open_ns"] = (last_ns - np.arange(count, 0, -1) * seconds * NS_PER_S)[:, None]
        rows["recv_ns"] = rows["open_ns"] + seconds * NS_PER_S
        rows["open"], rows["close"] = opens, closes
        rows["high"] = np.maximum(opens, closes) * np.exp(reach[0])
        rows["low"] = np.minimum(opens, closes) * np.exp(-reach[1])
        rows["volume"] = np.ceil(self._rng.exponential(40.0 * seconds, (count, n)))
        rows["trades"] = seconds
        rows["closed"] = 1
        return Batch(rows.reshape(-1))
