"""World: a whole market in this process, and seats for traders at it. What sections without processes measure on."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common import layout
from common.blocks import TraderBlock
from common.runtime import Runtime, default_root
from common.segment import Segment
from services.feed.market import Market
from services.feed.sources.synthetic import symbol_names, zipf_shares
from services.feed.updates import KLINE, Batch, ticks
from services.trader.matches import MatchSet
from services.trader.plugin import load_plugin
from services.trader.results import Results, Tally
from services.trader.runner import Runner

NS = 1_000_000_000
NOON_NS = 1_700_049_600 * NS
DEFAULT_INTERVALS_S = (60, 300, 900, 3_600)

HERE = Path(__file__).resolve().parent
TRADERS = HERE / "traders"
SHIPPED = HERE.parent.parent / "plugins"


@contextmanager
def runtime_folder() -> Iterator[Runtime]:
    """A runtime folder where real ones lie, removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="tickflag-bench-", dir=default_root().parent))
    try:
        runtime = Runtime(root, "bench")
        runtime.prepare()
        yield runtime
    finally:
        shutil.rmtree(root)


class Activity:
    """Who ticks and at which price. Prices walk in small steps and are pulled back, so that few matches change."""

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
        """`n` different slots, all as likely."""
        return np.asarray(self.rng.choice(len(self.start), n, replace=False))

    def trades(self, slots: npt.NDArray[np.int64], event_ns: Any) -> npt.NDArray[np.void]:
        """One trade with quote for each of `slots`."""
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
        """`count` closed candles of every symbol, up to `end_ns`: a walk that ends near the price of now."""
        n = len(self.start)
        rows = np.zeros((count, n), KLINE)
        rows["slot"] = np.arange(n)
        rows["interval_s"] = interval_s
        last_ns = end_ns - end_ns % (interval_s * NS)
        rows["open_ns"] = (last_ns - np.arange(count, 0, -1) * interval_s * NS)[:, None]
        rows["recv_ns"] = rows["open_ns"] + interval_s * NS
        steps = self.rng.normal(0.0, 0.0005, (count, n))
        close = self.start * np.exp(np.cumsum(steps[::-1], axis=0)[::-1])
        rows["open"] = rows["high"] = rows["low"] = rows["close"] = close
        rows["volume"], rows["trades"], rows["closed"] = 10.0, 10.0, 1
        return rows.reshape(-1)


class World:
    """A market with `symbols` symbols, `history` candles of each interval, its writer, and a read-only mapping."""

    def __init__(
        self,
        runtime: Runtime,
        symbols: int,
        depth: int = 100,
        intervals_s: tuple[int, ...] = DEFAULT_INTERVALS_S,
        native_s: tuple[int, ...] = (),
        history: int = 0,
        rate_limit_ns: int = 0,
    ) -> None:
        self.activity = Activity(symbols)
        self._writable = Segment.create(runtime, layout.plan(symbols, depth, intervals_s))
        self.market = Market(self._writable, rate_limit_ns, 2 * NS, native_s)
        for name in symbol_names(symbols, self.activity.rng):
            self.market.slot(name)
        self.event_ns = NOON_NS
        self.now_ns = NS
        if history:
            for seconds in intervals_s:
                self.apply(self.activity.history(seconds, history, NOON_NS))
        self._writable.publish(runtime)
        self.segment = Segment.attach_current(runtime)

    def apply(self, rows: npt.NDArray[np.void]) -> None:
        self.market.apply(Batch(rows), self.now_ns)

    def tick(self, slots: npt.NDArray[np.int64], step_ns: int = 10_000_000) -> None:
        """One trade each, some time later."""
        self.event_ns += step_ns
        self.now_ns += step_ns
        self.apply(self.activity.trades(slots, self.event_ns))

    def swap(self) -> int:
        return self.market.swap(_unheard, self.now_ns)

    def close(self) -> None:
        self.segment.close()
        self._writable.close()
        self._writable.path.unlink()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class Seat:
    """A trader file at a world's segment: the real runner, results counted and dropped."""

    def __init__(
        self, segment: Segment, path: Path, tracking: bool = True, deltas: bool = True, chunk: int = 0
    ) -> None:
        """`chunk` is in place of both settings of that name; 0 leaves them."""
        plugin = load_plugin(path)
        chunks = {"chunk": chunk, "batch_chunk": chunk} if chunk else {}
        settings = TraderBlock(tracking=tracking, deltas=deltas, **chunks)  # type: ignore[arg-type] # as the block takes them
        self.name = plugin.trader.name
        self.tally = Tally()
        self.matches = MatchSet()
        self.sent = 0
        results = Results(
            self.name, 1, self.matches, self.tally, self._send,
            deltas, settings.compress_from_bytes, plugin.trader.score_step,
        )  # fmt: skip
        self.runner = Runner(segment, plugin, settings, self.matches, results, self.tally)

    def step(self, time_ns: int) -> None:
        if self.runner.pending(time_ns):
            self.runner.step(time_ns, time_ns)

    def _send(self, _frame: bytes) -> bool:
        self.sent += 1
        return True


def _unheard(_swap: object) -> None:
    """Readers in this process look by themselves."""
