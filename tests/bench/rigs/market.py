"""A whole market in this process and traders on it: the sections without processes measure on these."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tickflag.common.runtime import Runtime, default_root
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.common.units import NS_PER_S, S_PER_HOUR
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.state import KLINES, OWNED
from tickflag.services.feed.market.updates import KLINE, Batch, ticks
from tickflag.services.feed.sources.synthetic import symbol_names, zipf_shares
from tickflag.services.trader.evaluation.assembly import assemble
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin
from tickflag.services.trader.evaluation.runner import Runner

NOON_NS = 1_700_049_600 * NS_PER_S
DEFAULT_INTERVALS_S = (60, 300, 900, 3_600)

HERE = Path(__file__).resolve().parents[1]
TRADERS = HERE / "traders"
SHIPPED = HERE.parent.parent / "plugins"


@contextmanager
def runtime_folder() -> Iterator[Runtime]:
    """A runtime folder where real ones are, removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="tickflag-bench-", dir=default_root().parent))
    try:
        runtime = Runtime(root, "bench")
        runtime.prepare()
        yield runtime
    finally:
        shutil.rmtree(root)


class MarketActivity:
    """Which symbols tick, and at which price. Prices walk in small steps and are pulled back, so that few matches
    change."""

    def __init__(self, symbols: int, seed: int = 7) -> None:
        self.rng = np.random.default_rng(seed)
        self.start = np.round(np.exp(self.rng.normal(3.0, 1.0, symbols)), 2) + 0.01
        self._walk = np.zeros(symbols)
        cumulative = np.cumsum(self.rng.permutation(zipf_shares(symbols)))
        self._cumulative = cumulative / cumulative[-1]

    def zipf(self, n: int) -> npt.NDArray[np.int64]:
        """Slots of `n` ticks, a few symbols the most active."""
        return np.searchsorted(self._cumulative, self.rng.random(n))

    def distinct(self, n: int) -> npt.NDArray[np.int64]:
        """`n` different slots, all equally likely."""
        return np.asarray(self.rng.choice(len(self.start), n, replace=False))

    def trades(self, slots: npt.NDArray[np.int64], event_ns: Any) -> npt.NDArray[np.void]:
        """One trade with a quote for each of `slots`."""
        n = len(slots)
        self._walk[slots] += self.rng.normal(0.0, 0.0002, n)
        self._walk[slots] *= 0.98
        price = self.start[slots] * np.exp(self._walk[slots])
        rows = ticks(n)
        rows["slot"], rows["event_ns"], rows["recv_ns"] = slots, event_ns, event_ns
        rows["price"], rows["qty"] = price, 1.0
        half = price * self.rng.uniform(0.0002, 0.0011, n)
        rows["bid"], rows["ask"], rows["bid_size"], rows["ask_size"] = price - half, price + half, 10.0, 10.0
        return rows

    def history(self, interval_s: int, count: int, end_ns: int) -> npt.NDArray[np.void]:
        """`count` closed candles of every symbol, up to `end_ns`: a walk that ends near the present price."""
        n = len(self.start)
        rows = np.zeros((count, n), KLINE)
        rows["slot"] = np.arange(n)
        rows["interval_s"] = interval_s
        last_ns = end_ns - end_ns % (interval_s * NS_PER_S)
        rows["open_ns"] = (last_ns - np.arange(count, 0, -1) * interval_s * NS_PER_S)[:, None]
        rows["recv_ns"] = rows["open_ns"] + interval_s * NS_PER_S
        steps = self.rng.normal(0.0, 0.0005, (count, n))
        close = self.start * np.exp(np.cumsum(steps[::-1], axis=0)[::-1])
        rows["open"] = rows["high"] = rows["low"] = rows["close"] = close
        rows["volume"], rows["trades"], rows["closed"] = 10.0, 10.0, 1
        return rows.reshape(-1)


class BenchMarket:
    """A market with `symbols` symbols, `history` candles of each interval, its writer, and a read-only mapping."""

    def __init__(
        self,
        runtime: Runtime,
        symbols: int,
        depth: int = 100,
        intervals_s: tuple[int, ...] = DEFAULT_INTERVALS_S,
        brought: bool = False,
        history: int = 0,
        rate_limit_ns: int = 0,
    ) -> None:
        self.activity = MarketActivity(symbols)
        self._writable = Segment.create(runtime, layout.plan(symbols, depth, intervals_s))
        self.market = MarketWriter(self._writable, rate_limit_ns, 2 * NS_PER_S)
        for name in symbol_names(symbols, self.activity.rng):
            self.market.slot(name)
        self.event_ns = NOON_NS
        self.now_ns = NS_PER_S
        if history:
            for seconds in intervals_s:
                rows = self.activity.history(seconds, history, NOON_NS)
                self.market.apply_saved(Batch(rows), self.now_ns, intervals_s, S_PER_HOUR)
            self.market.begin(NOON_NS)
        if brought:  # a source brings all candles: none is built
            self.market.state.meta[KLINES] = 1
            self.market.state.brought[:, :, OWNED] = 1 << 62
        self._writable.publish(runtime)
        self.segment = Segment.attach_current(runtime)

    def apply(self, rows: npt.NDArray[np.void]) -> None:
        self.market.apply(Batch(rows), self.now_ns)

    def tick(self, slots: npt.NDArray[np.int64], step_ns: int = 10_000_000) -> None:
        """One trade for each slot, `step_ns` later."""
        self.event_ns += step_ns
        self.now_ns += step_ns
        self.apply(self.activity.trades(slots, self.event_ns))

    def swap(self) -> int:
        return self.market.swap(_unheard, self.now_ns)

    def close(self) -> None:
        self.segment.close()
        self._writable.close()
        self._writable.path.unlink()

    def __enter__(self) -> "BenchMarket":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class BenchTrader:
    """A trader file at a bench market's segment: the real runner, results counted and dropped."""

    def __init__(
        self, segment: Segment, path: Path, tracking: bool = True, deltas: bool = True, chunk: int = 0
    ) -> None:
        """`chunk` replaces the settings `chunk` and `batch_chunk`; 0 leaves both."""
        plugin = load_plugin(path)
        chunks = {"chunk": chunk, "batch_chunk": chunk} if chunk else {}
        settings = TraderBlock(tracking=tracking, deltas=deltas, **chunks)  # type: ignore[arg-type] # as the block takes them
        self.name = plugin.trader.name
        self.sent = 0
        parts = assemble(plugin, settings, {}, self._send)
        self.tally, self.matches = parts.tally, parts.matches
        self.runner = Runner(segment, parts)

    def step(self, time_ns: int) -> None:
        if self.runner.pending(time_ns):
            self.runner.step(time_ns, time_ns)

    def _send(self, _frame: bytes) -> bool:
        self.sent += 1
        return True


def _unheard(_swap: object) -> None:
    """Do nothing: readers in this process check for changes by themselves."""
