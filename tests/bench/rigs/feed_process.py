"""A real feed with the benchmark's load as its source: `python -m tests.bench.rigs.feed_process FOLDER PERIOD_NS`."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zmq

from tests.bench.board import GENERATED, START, words
from tests.bench.rigs.load import PRICE, Load
from tests.bench.rigs.metronome import Metronome
from tickflag.common.lifecycle import Stop, run_service
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.updates import KLINE, Batch, ticks
from tickflag.services.feed.service import Feed
from tickflag.services.feed.sources.source import Source, Venue
from tickflag.services.feed.warmup import warm_up

IDLE_NS = 1_000_000


class LoadSource(Source):
    """Hands over what was created since the last time, when the metronome ticks."""

    def __init__(self, folder: Path, period_ns: int, depth: int) -> None:
        self._depth = depth
        self._load = Load.read(folder / "load.json")
        self._board = words(folder / "board")
        self._rows = self._load.rows()
        self._metronome = Metronome(IDLE_NS)
        self._period_ns = period_ns
        self._start_ns = 0
        self._done = 0

    def open(self, venue: Venue) -> Sequence[Batch]:
        slots = np.array([venue.slot(name) for name in self._load.names], np.int32)
        history = [_history(slots, seconds, self._depth, venue.wall_ns) for seconds in venue.intervals_s]
        first = ticks(len(slots))
        first["slot"], first["price"], first["bid"], first["ask"] = slots, PRICE, PRICE, PRICE
        first["bid_size"] = 0.0
        first["event_ns"] = first["recv_ns"] = venue.wall_ns
        return [*history, Batch(first)]

    def next_ns(self) -> int | None:
        return None

    def descriptors(self) -> Sequence[int]:
        return (self._metronome.fileno(),)

    def drain(self, monotonic_ns: int, wall_ns: int) -> Sequence[Batch]:
        self._metronome.take()
        if not self._start_ns:
            self._start_ns = int(self._board[START])
            if self._start_ns:
                created_ns = self._load.created_ns(self._start_ns) + wall_ns - monotonic_ns
                self._rows["event_ns"] = self._rows["recv_ns"] = created_ns
                self._metronome.start(self._period_ns, self._start_ns)
            return ()
        due = self._load.due(self._start_ns, monotonic_ns)
        if due == self._done:
            if due == self._load.count:
                self._metronome.start(NS_PER_S, monotonic_ns + NS_PER_S)
            return ()
        rows = self._rows[self._done : due]
        self._done = due
        self._board[GENERATED] = due
        return (Batch(rows),)


def _history(slots: npt.NDArray[np.int32], seconds: int, count: int, wall_ns: int) -> Batch:
    """The last `count` candles of every symbol, closed."""
    rows = np.zeros((count, len(slots)), KLINE)
    last_ns = wall_ns - wall_ns % (seconds * NS_PER_S)
    rows["slot"], rows["interval_s"], rows["closed"] = slots, seconds, 1
    rows["open_ns"] = (last_ns - np.arange(count, 0, -1) * seconds * NS_PER_S)[:, None]
    rows["recv_ns"] = rows["open_ns"] + seconds * NS_PER_S
    for field in ("open", "high", "low", "close"):
        rows[field] = PRICE
    return Batch(rows.reshape(-1))


def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    warm_up()
    context = zmq.Context()
    source = LoadSource(Path(sys.argv[1]), int(sys.argv[2]), settings.segment.depth)
    feed = Feed(settings, runtime, context, source, log)
    try:
        feed.run(stop)
    finally:
        feed.close()
        context.term()


if __name__ == "__main__":
    sys.exit(run_service("feed", main))
