"""A rival's processes under the same load as the engine's, measured the same way."""

import contextlib
import time
from typing import Literal

import numpy as np

from tests.bench import board
from tests.bench.rigs.engine import LEAD_NS, EngineRun, folder_of_run
from tests.bench.rigs.load import WINDOW, Load
from tests.bench.rigs.processes import RunFailed, RunProcesses
from tests.bench.rigs.rival import CONSUMERS

Kind = Literal["tick", "batch", "array"]


def run_rival(kind: Kind, load: Load, period_ns: int, ledgers: bool, limit_s: float) -> EngineRun:
    """Start, run the load, and wait until all work is done, at most for `limit_s` after the load's end."""
    with folder_of_run(load, False) as (folder, _):
        for number in range(CONSUMERS if ledgers else 0):
            board.create(folder / f"ledger-{number}", load.count + 1)
        if kind == "array":
            board.create(folder / "array", load.symbols * (WINDOW + 2))
            board.opened(folder / "array").view(np.float64).reshape(load.symbols, -1)[:, : WINDOW + 1] = 100.0
        words = board.opened(folder / "board")
        with RunProcesses(folder, {}) as processes:
            for name, number in [("collector", 0), ("publisher", 0), *((f"trader {n}", n) for n in range(CONSUMERS))]:
                role = name.split()[0]
                processes.start(name, "tests.bench.rigs.rival", kind, role, str(folder), str(period_ns), str(number))
            ready = words[board.READY : board.READY + CONSUMERS + 2]
            processes.wait_until(lambda: bool(ready.all()), 60, "rival ready")
            time.sleep(0.5)  # subscriptions take a moment
            start_ns = time.monotonic_ns() + LEAD_NS
            words[board.START] = start_ns
            time.sleep((start_ns - time.monotonic_ns()) / 1e9)
            before = processes.cpu_ns()
            done = words[board.DONE : board.DONE + CONSUMERS]
            with contextlib.suppress(RunFailed):  # it fell too far behind: the work that it did counts
                processes.wait_until(lambda: bool(done.all()), load.seconds + limit_s, "end of the work")
            elapsed_s = (time.monotonic_ns() - start_ns) / 1e9
            after = processes.cpu_ns()
            words[board.DONE + CONSUMERS] = 1
            processes.wait_until(lambda: bool(words[board.DONE + CONSUMERS + 1]), 20, "the collector's end")
            processes.stop()
        entries = []
        for number in range(CONSUMERS if ledgers else 0):
            times = np.array(board.opened(folder / f"ledger-{number}"))
            seqs = np.flatnonzero(times)
            entries.append(np.stack([times[seqs], seqs], axis=1))
        used = {name: after[name] - before[name] for name in after}
        return EngineRun(start_ns, elapsed_s, used, entries, np.load(folder / "signals.npy"))
