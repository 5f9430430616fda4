"""Engine: the real processes under the benchmark's load: feed, collector, supervisor with its workers."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.runtime import Runtime
from common.segment import Segment
from tests.bench import board
from tests.bench.load import Load
from tests.bench.processes import Processes, error_lines
from tests.bench.world import TRADERS, runtime_folder

TRADERS_COUNT = 4
SETTLED_S = 0.3
LEAD_NS = 300_000_000  # from the moment all are ready to the first tick


@dataclass(frozen=True)
class Outcome:
    """What a run left. Times are monotonic ns; `entries` are (time, sequence number of the tick seen) a trader."""

    start_ns: int
    elapsed_s: float
    cpu_ns: dict[str, int]
    entries: list[npt.NDArray[np.int64]]
    evaluations: list[int]
    signals: npt.NDArray[np.int64]
    """(trader, sequence number, came, journalled)"""
    final_seq: npt.NDArray[np.int64]
    """By symbol, from the feed's rows at the end; a rival has none."""
    counters: dict[str, int]
    errors: list[str]

    @property
    def total_cpu_ns(self) -> int:
        return sum(self.cpu_ns.values())


@contextmanager
def folder_of_run(load: Load, ledgers: bool) -> Iterator[tuple[Path, Runtime]]:
    """A runtime folder with load, board and, where asked for, ledgers."""
    with runtime_folder() as runtime:
        folder = runtime.folder.parent
        load.save(folder / "load.json")
        board.create(folder / "board", board.WORDS)
        if ledgers:
            for number in range(TRADERS_COUNT):
                board.create(folder / f"ledger-{number}", 8 + 2 * (load.count + 4 * load.symbols))
        yield folder, runtime


def run_engine(
    load: Load,
    period_ns: int,
    min_swap_ms: float,
    ledgers: bool,
    intervals: tuple[str, ...] = ("1m", "5m", "15m", "1h"),
    depth: int = 100,
    tracking: bool = True,
) -> Outcome:
    """Start everything, run the load, wait until all is covered, stop. Raises RunFailed."""
    with folder_of_run(load, ledgers) as (folder, runtime):
        plugins = folder / "plugins"
        plugins.mkdir()
        (folder / "configs").mkdir()
        for number in range(TRADERS_COUNT):
            shutil.copy(TRADERS / "load_rule.py", plugins / f"trader_{number}.py")
        environment = {
            "BENCH_FOLDER": str(folder),
            "TICKFLAG_CONFIG": str(folder / "configs"),
            "TICKFLAG_RUNTIME__ROOT": str(folder),
            "TICKFLAG_INSTANCE": runtime.folder.name,
            "TICKFLAG_SEGMENT__CAPACITY": str(load.symbols),
            "TICKFLAG_SEGMENT__DEPTH": str(depth),
            "TICKFLAG_SEGMENT__INTERVALS": str(list(intervals)).replace("'", '"'),
            "TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": str(min_swap_ms),
            "TICKFLAG_FEED__RATE_LIMIT_MS": "0",
            "TICKFLAG_TRADER__PLUGINS": str(plugins),
            "TICKFLAG_TRADER__TRACKING": str(tracking).lower(),
        }
        words = board.opened(folder / "board")
        with Processes(folder, environment) as processes:
            processes.start("feed", "tests.bench.feed_process", str(folder), str(period_ns))
            processes.start("collector", "tests.bench.collector_process", str(folder))
            processes.wait_until(lambda: runtime.read_pointer() is not None, 60, "segment")
            processes.start("trader", "services.trader")
            ready = words[board.READY : board.READY + TRADERS_COUNT]
            processes.wait_until(lambda: bool(ready.all()), 60, "evaluation by every trader")
            time.sleep(0.5)
            start_ns = time.monotonic_ns() + LEAD_NS
            words[board.START] = start_ns
            time.sleep((start_ns - time.monotonic_ns()) / 1e9)
            before = processes.cpu_ns()
            with Segment.attach_current(runtime) as segment:
                limit_s = load.seconds * 3 + 10
                processes.wait_until(lambda: bool(words[board.GENERATED] >= load.count), limit_s, "end of the load")
                _settle([board.opened(folder / f"ledger-{n}") for n in range(TRADERS_COUNT if ledgers else 0)])
                after = processes.cpu_ns()
                elapsed_s = (time.monotonic_ns() - start_ns) / 1e9
                final_seq = segment.arrays.tickers["bid_size"][: load.symbols].astype(np.int64)
                counters = segment.counters()
            processes.stop("trader")
            processes.stop("collector")
            processes.stop("feed")
            entries, evaluations = [], []
            for number in range(TRADERS_COUNT if ledgers else 0):
                ledger = board.opened(folder / f"ledger-{number}")
                entries.append(_entries(ledger))
                evaluations.append(int(ledger[1]))
            return Outcome(
                start_ns,
                elapsed_s,
                {name: after[name] - before[name] for name in after},
                entries,
                evaluations,
                np.load(folder / "signals.npy"),
                final_seq,
                counters,
                error_lines([processes.log(name) for name in ("feed", "collector", "trader")]),
            )


def _entries(ledger: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(time, sequence number) of everything a trader saw."""
    room, count = (len(ledger) - 8) // 2, int(ledger[0])
    return np.stack([ledger[8 : 8 + count], ledger[8 + room : 8 + room + count]], axis=1)



def _settle(ledgers: list[npt.NDArray[np.int64]]) -> None:
    """Wait until no trader has looked at anything for a while, at most 5 s."""
    deadline = time.monotonic() + 5.0
    while True:
        looks = [int(ledger[1]) for ledger in ledgers]
        time.sleep(SETTLED_S)
        if looks == [int(ledger[1]) for ledger in ledgers] or time.monotonic() > deadline:
            return
