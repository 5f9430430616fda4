"""ManualMarket: a market filled by hand, in a segment of its own; time passes when it is told to."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from common import layout
from common.layout import COUNTER
from common.runtime import Runtime
from common.segment import Segment, interval_seconds
from common.settings import Settings
from services.feed.market import Market
from services.feed.updates import KLINE, Batch, ticks

NS = 1_000_000_000
START_NS = 1_700_049_600 * NS  # noon of a day in UTC
CAPACITY = 256

Column = float | Sequence[float] | npt.NDArray[np.float64]


class ManualMarket:
    """The feed's kernels without a source, rate limit or waiting for late trades. Use it in a `with` block, or `close`.

    Intervals and depth are those of `settings`. A value that the feed would refuse raises ValueError.
    """

    def __init__(self, settings: Settings, capacity: int = CAPACITY) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tickflag-")
        runtime = Runtime(Path(self._folder.name), "test")
        runtime.prepare()
        plan = layout.plan(capacity, settings.segment.depth, settings.intervals_s)
        self._writable = Segment.create(runtime, plan)
        self._market = Market(self._writable, 0, 0)
        self._writable.publish(runtime)
        self.segment = Segment.attach_current(runtime)
        """As traders have it: read-only."""
        self.time_ns = START_NS
        """Now, UTC."""

    def tick(
        self, symbol: str, *, last: float | None = None, size: float = 1.0,
        bid: float | None = None, ask: float | None = None,
        bid_size: float | None = None, ask_size: float | None = None,
        open_24h: float | None = None, high_24h: float | None = None, low_24h: float | None = None,
        volume_24h: float | None = None,
    ) -> None:  # fmt: skip
        """A trade at the price `last`, a quote, or both. What is left out stays as it was.

        Trades build the forming candle of every interval and the 24 h figures; `open_24h` sets these instead, together
        with those of its kind that are given, and then trades no longer change them.
        """
        if open_24h is None and not (high_24h is volume_24h is low_24h is None):
            raise ValueError(f"{symbol}: give `open_24h` with the other 24 h figures")
        said = {
            "price": last, "qty": size if last is not None else None,
            "bid": bid, "ask": ask, "bid_size": bid_size, "ask_size": ask_size,
            "open_24h": open_24h, "high_24h": high_24h, "low_24h": low_24h, "volume_24h": volume_24h,
        }  # fmt: skip
        self._tick(symbol, {field: value for field, value in said.items() if value is not None})

    def delist(self, symbol: str) -> None:
        """The symbol is traded no more, until its next tick."""
        self._tick(symbol, {"status": layout.STATUS_DELISTED})

    def candles(
        self, symbol: str, interval: str, close: Column, *,
        open: Column | None = None, high: Column | None = None, low: Column | None = None,
        volume: Column = 1.0, trades: Column = 1.0,
    ) -> None:  # fmt: skip
        """Closed candles in a row, the last of which ended at the latest multiple of the interval.

        Without `open` each opens where the one before closed; without `high` and `low` these are the outer ones of open
        and close. The latest price follows. Fill them in before trades: what is older than a symbol's newest candle is
        refused.
        """
        seconds = interval_seconds(interval)
        self._writable.interval(interval)  # names the intervals there are
        closes = np.atleast_1d(np.asarray(close, np.float64))
        opens = np.concatenate((closes[:1], closes[:-1])) if open is None else np.asarray(open, np.float64)
        rows = np.zeros(len(closes), KLINE)
        rows["slot"], rows["interval_s"], rows["closed"], rows["recv_ns"] = self._slot(symbol), seconds, 1, self.time_ns
        length = seconds * NS
        rows["open_ns"] = self.time_ns // length * length + (np.arange(len(closes)) - len(closes)) * length
        rows["open"], rows["close"], rows["volume"], rows["trades"] = opens, closes, volume, trades
        rows["high"] = np.maximum(opens, closes) if high is None else high
        rows["low"] = np.minimum(opens, closes) if low is None else low
        late = self._counter("late_ticks")
        self._apply(rows, f"candles of {symbol}: prices are above 0, and open and close between low and high")
        if self._counter("late_ticks") > late:
            raise ValueError(f"{symbol} has newer {interval} candles or trades: fill in the oldest first")

    def advance(self, duration: str | float) -> None:
        """Let time pass, as `5m` or in seconds; candles whose end is reached close."""
        passed_ns = interval_seconds(duration) * NS if isinstance(duration, str) else round(duration * NS)
        if passed_ns < 0:
            raise ValueError(f"time does not go back, as by {duration} s")
        self.time_ns += passed_ns
        self._market.close_due(self.time_ns, self.time_ns)

    def place(self, symbol: str) -> None:
        """Give the symbol its slot before it has data. Otherwise its first change does."""
        self._slot(symbol)

    def publish(self) -> None:
        """Announce what changed: the feed's swap."""
        if self._market.dirty:
            self._market.swap(lambda _event: None, self.time_ns)

    @property
    def symbols(self) -> list[str]:
        """All so far, by slot."""
        return [name.decode() for name in self.segment.names[: len(self._market.symbols)]]

    def close(self) -> None:
        self.segment.close()
        self._writable.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _slot(self, symbol: str) -> int:
        return self._market.symbols.slot(symbol)

    def _tick(self, symbol: str, fields: dict[str, Any]) -> None:
        rows = ticks(1)
        rows["slot"], rows["event_ns"], rows["recv_ns"] = self._slot(symbol), self.time_ns, self.time_ns
        for field, value in fields.items():
            rows[field] = value
        self._apply(rows, f"tick of {symbol}: prices are finite and above 0, sizes finite and not negative")

    def _apply(self, rows: npt.NDArray[np.void], rule: str) -> None:
        rejected = self._counter("rejected_updates")
        self._market.apply(Batch(rows), self.time_ns)
        if self._counter("rejected_updates") > rejected:
            raise ValueError(rule)

    def _counter(self, name: str) -> int:
        return int(self._writable.arrays.living[COUNTER[name]])
