"""Engine: the real processes under the benchmark's load: feed, collector, supervisor and workers."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.bench import board
from tests.bench.rigs.load import Load
from tests.bench.rigs.market import TRADERS, runtime_folder
from tests.bench.rigs.processes import RunProcesses, error_lines
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import Segment
from tickflag.common.wire.requests import Client

TRADERS_COUNT = 4
SETTLED_NS = 300_000_000
LEAD_NS = 300_000_000  # from the moment all are ready to the first tick


@dataclass(frozen=True)
class EngineRun:
    """The results of a run. Times are monotonic ns. Rivals leave some fields empty."""

    start_ns: int
    elapsed_s: float
    cpu_ns: dict[str, int]
    entries: list[npt.NDArray[np.int64]]
    """For each trader, (time, number of the tick seen); only with ledgers."""
    signals: npt.NDArray[np.int64]
    """(trader, number of the tick, when it came); ours have (when journalled, cycle) as well."""
    evaluated: int = 0
    """Symbols evaluated by all traders together."""
    cycles: int = 0
    """Cycles of all traders together."""
    swaps: int = 0
    final_seq: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """By symbol: the number of the newest tick, from the feed's rows at the end."""
    errors: list[str] = field(default_factory=list)
    matches: list[dict[str, float]] = field(default_factory=list)
    """By trader: its matches at the end, as the collector knows them."""

    @property
    def total_cpu_ns(self) -> int:
        return sum(self.cpu_ns.values())


@contextmanager
def folder_of_run(load: Load, ledgers: bool) -> Iterator[tuple[Path, Runtime]]:
    """A runtime folder with load, board and, on request, ledgers."""
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
    grouped: bool = False,
    neighbour: Path | None = None,
) -> EngineRun:
    """Start everything, run the load, wait until all is covered, stop. Raises RunFailed.

    `grouped`: the traders share one process. `neighbour` is the file of a trader that runs beside them.
    """
    with folder_of_run(load, ledgers) as (folder, runtime):
        plugins = folder / "plugins"
        plugins.mkdir()
        (folder / "configs").mkdir()
        for number in range(TRADERS_COUNT):
            shutil.copy(TRADERS / "load_rule.py", plugins / f"trader_{number}.py")
        if neighbour is not None:
            shutil.copy(neighbour, plugins / neighbour.name)
        if grouped:
            tables = [f'[trader-{n}]\nsource = "trader_{n}"\ngroup = "all"\n' for n in range(TRADERS_COUNT)]
            (folder / "configs" / "traders.toml").write_text("\n".join(tables))
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
            "TICKFLAG_AUDIT__SHARE": "0",  # the traders count their evaluations, and an audit's would count too
        }
        words = board.opened(folder / "board")
        with RunProcesses(folder, environment) as processes:
            processes.start("feed", "tests.bench.rigs.feed_process", str(folder), str(period_ns))
            processes.start("collector", "tests.bench.rigs.collector_process", str(folder))
            processes.start("trader", "tickflag.services.trader")
            ready = words[board.READY : board.READY + TRADERS_COUNT]
            processes.wait_until(lambda: bool(ready.all()), 60, "evaluation by every trader")
            time.sleep(0.5)
            start_ns = time.monotonic_ns() + LEAD_NS
            words[board.START] = start_ns
            time.sleep((start_ns - time.monotonic_ns()) / 1e9)
            with Client(runtime, "collector") as collector, Segment.attach_current(runtime) as segment:
                before, swaps = processes.cpu_ns(), segment.counters()["swaps"]
                cycles = _cycles(collector)
                words[board.ROWS : board.DONE] = 0
                limit_s = load.seconds * 3 + 10
                processes.wait_until(lambda: bool(words[board.GENERATED] >= load.count), limit_s, "end of the load")
                elapsed_s = (_settle(words) - start_ns) / 1e9
                after = processes.cpu_ns()
                final_seq = segment.arrays.tickers["bid_size"][: load.symbols].astype(np.int64)
                swaps = segment.counters()["swaps"] - swaps
                cycles = _cycles(collector) - cycles
                names = [f"trader-{number}" for number in range(TRADERS_COUNT)]
                matches = [collector.ask("matches", trader=name)["matches"] for name in names]
            errors = error_lines([processes.log(name) for name in ("feed", "collector", "trader")])
            errors += error_lines(sorted(runtime.logs.glob("*.log")))
            for name in ("trader", "collector", "feed"):
                processes.stop(name)
            numbers = range(TRADERS_COUNT if ledgers else 0)
            return EngineRun(
                start_ns,
                elapsed_s,
                {name: after[name] - before[name] for name in after},
                [_entries(board.opened(folder / f"ledger-{number}")) for number in numbers],
                np.load(folder / "signals.npy"),
                int(words[board.ROWS : board.ROWS + TRADERS_COUNT].sum()),
                cycles,
                swaps,
                final_seq,
                errors,
                matches,
            )


def _cycles(collector: Client) -> int:
    """Cycles that all traders have reported so far."""
    return sum(int(trader["cycles"]) for trader in collector.ask("traders"))


def _entries(ledger: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(time, sequence number) of everything that a trader saw."""
    room, count = (len(ledger) - 8) // 2, int(ledger[0])
    return np.stack([ledger[8 : 8 + count], ledger[8 + room : 8 + room + count]], axis=1)


def _settle(words: npt.NDArray[np.int64]) -> int:
    """Wait until no trader has evaluated anything for a while, at most 5 s; gives the time of the last evaluation."""
    looks = slice(board.LOOKS, board.LOOKS + TRADERS_COUNT)
    began_ns = changed_ns = time.monotonic_ns()
    before = words[looks].tolist()
    while time.monotonic_ns() - changed_ns < SETTLED_NS and time.monotonic_ns() - began_ns < 16 * SETTLED_NS:
        time.sleep(0.02)
        if before != words[looks].tolist():
            before, changed_ns = words[looks].tolist(), time.monotonic_ns()
    return changed_ns
