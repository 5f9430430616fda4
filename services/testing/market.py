"""ManualMarket: a market filled by hand, in a segment of its own; time passes only by `advance`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from tickflag.common.arrays import Floats, Records
from tickflag.common.recordings.interval import candle_start_ns
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.layout import COUNTER
from tickflag.common.segment.segment import Segment, interval_seconds
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.updates import KLINE, Batch, ticks
from tickflag.services.feed.turn import Turns

START_NS = 1_700_049_600 * NS_PER_S  # noon of a day in UTC
CAPACITY = 256

Column = float | Sequence[float] | Floats


class ManualMarket:
    """The feed's kernels without source, rate limit or watermark. Use it in a `with` block, or `close` it.

    Intervals and depth are those of `settings`. A value that the feed would refuse raises ValueError.
    """

    def __init__(self, settings: Settings, capacity: int = CAPACITY) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tickflag-")
        runtime = Runtime(Path(self._folder.name), "test")
        runtime.prepare()
        plan = layout.plan(capacity, settings.segment.depth, settings.intervals_s)
        self._writable = Segment.create(runtime, plan)
        self._market = MarketWriter(self._writable, 0, 0)
        self._turns = Turns(0, lambda now_ns: self._market.swap(lambda _event: None, now_ns))
        self._writable.publish(runtime)
        self.segment = Segment.attach_current(runtime)
        """The segment as traders see it: read-only."""
        self.time_ns = START_NS
        """The present, UTC."""

    def tick(
        self, symbol: str, *, last: float | None = None, size: float = 1.0,
        bid: float | None = None, ask: float | None = None,
        bid_size: float | None = None, ask_size: float | None = None,
        open_24h: float | None = None, high_24h: float | None = None, low_24h: float | None = None,
        volume_24h: float | None = None,
    ) -> None:  # fmt: skip
        """Apply a trade at the price `last`, a quote, or both. What is left out stays as it was.

        Trades build the forming candle of every interval, and the 24 h figures. `open_24h` and the other 24 h figures
        that are given with it set these instead; from then on trades no longer change them.
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
        """Delist the symbol until its next tick."""
        self._tick(symbol, {"status": layout.STATUS_DELISTED})

    def candles(
        self, symbol: str, interval: str, close: Column, *,
        open: Column | None = None, high: Column | None = None, low: Column | None = None,
        volume: Column = 1.0, trades: Column = 1.0,
    ) -> None:  # fmt: skip
        """Apply consecutive closed candles; the last one ended at the latest multiple of the interval.

        Without `open` each candle opens where the one before closed. Without `high` and `low` these are the higher and
        the lower of open and close. A candle whose open is NaN is incomplete: only its close is known. The latest price
        follows the last close. Fill in candles before trades: a candle older than the symbol's newest one is refused.
        """
        seconds = interval_seconds(interval)
        self._writable.interval(interval)  # raises with the known intervals
        closes = np.atleast_1d(np.asarray(close, np.float64))
        opens = np.concatenate((closes[:1], closes[:-1])) if open is None else np.asarray(open, np.float64)
        rows = np.zeros(len(closes), KLINE)
        rows["slot"], rows["interval_s"], rows["closed"], rows["recv_ns"] = self._slot(symbol), seconds, 1, self.time_ns
        length = seconds * NS_PER_S
        rows["open_ns"] = candle_start_ns(self.time_ns, seconds) + (np.arange(len(closes)) - len(closes)) * length
        rows["open"], rows["close"], rows["volume"], rows["trades"] = opens, closes, volume, trades
        rows["high"] = np.maximum(opens, closes) if high is None else high
        rows["low"] = np.minimum(opens, closes) if low is None else low
        for field in ("high", "low", "volume", "trades"):
            rows[field][np.isnan(rows["open"])] = np.nan
        left_out = self._counter("late_ticks") + self._counter("double_trades")
        rejected = self._counter("rejected_updates")
        self._market.apply_saved(Batch(rows), self.time_ns, (seconds,))
        self._market.begin(0)
        if self._counter("rejected_updates") > rejected:
            raise ValueError(f"candles of {symbol}: prices are above 0, and open and close between low and high")
        if self._counter("late_ticks") + self._counter("double_trades") > left_out:
            raise ValueError(f"{symbol} has newer {interval} candles or trades: fill in the oldest first")

    def advance(self, duration: str | float) -> None:
        """Let time pass: a text as `5m`, or seconds. Candles whose end is reached close."""
        passed_ns = interval_seconds(duration) * NS_PER_S if isinstance(duration, str) else round(duration * NS_PER_S)
        if passed_ns < 0:
            raise ValueError(f"time does not go back, as by {duration} s")
        self.time_ns += passed_ns
        self._market.close_due(self.time_ns, self.time_ns)

    def place(self, symbol: str) -> None:
        """Give the symbol its slot now. Otherwise its first change does."""
        self._slot(symbol)

    def publish(self) -> None:
        """Announce what changed, by the feed's swap."""
        self._turns.flush(self._market, self.time_ns)

    @property
    def symbols(self) -> list[str]:
        """All symbols so far, by slot."""
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

    def _apply(self, rows: Records, rule: str) -> None:
        rejected = self._counter("rejected_updates")
        self._market.apply(Batch(rows), self.time_ns)
        if self._counter("rejected_updates") > rejected:
            raise ValueError(rule)

    def _counter(self, name: str) -> int:
        return int(self._writable.arrays.living[COUNTER[name]])
