"""Fleet: any traders in the real processes under the benchmark's load, and what the processes use."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench import board
from tests.bench.rigs.engine import LEAD_NS, folder_of_run
from tests.bench.rigs.load import Load
from tests.bench.rigs.processes import RunProcesses, private_bytes
from tickflag.common.wire.requests import Client

SETTLE_S = 1.0


@dataclass(frozen=True)
class FleetRun:
    """The results of a run."""

    cpu_ms: float
    """CPU of all trader processes in a second."""
    private_mb: float
    """Private memory of the workers."""
    processes: int
    traders: list[dict[str, Any]]
    """By name: each trader's counts in the measured time."""
    seconds: float


def run_fleet(
    load: Load,
    seconds: float,
    count: int,
    place: Callable[[Path, Path], None],
    settings: Mapping[str, str],
    period_ns: int = 10_000_000,
) -> FleetRun:
    """Measure `count` traders for `seconds`. Raises RunFailed.

    `place` writes the traders into a plugin folder and a configuration folder; `settings` are further variables. The
    load must last some seconds longer.
    """
    with folder_of_run(load, False) as (folder, runtime):
        plugins, configs = folder / "plugins", folder / "configs"
        plugins.mkdir()
        configs.mkdir()
        place(plugins, configs)
        environment = {
            "TICKFLAG_CONFIG": str(configs),
            "TICKFLAG_RUNTIME__ROOT": str(folder),
            "TICKFLAG_INSTANCE": runtime.folder.name,
            "TICKFLAG_SEGMENT__CAPACITY": str(load.symbols),
            "TICKFLAG_FEED__RATE_LIMIT_MS": "0",
            "TICKFLAG_TRADER__PLUGINS": str(plugins),
            **settings,
        }
        words = board.opened(folder / "board")
        with RunProcesses(folder, environment) as processes:
            processes.start("feed", "tests.bench.rigs.feed_process", str(folder), str(period_ns))
            processes.start("collector", "tickflag.services.collector")
            processes.wait_until(lambda: runtime.read_pointer() is not None, 60, "segment")
            processes.start("trader", "tickflag.services.trader")
            with Client(runtime, "collector") as collector:
                processes.wait_until(lambda: _live(collector) == count, 120, f"reports of {count} traders")
                words[board.START] = time.monotonic_ns() + LEAD_NS
                time.sleep(SETTLE_S + LEAD_NS / 1e9)
                before, cpu_ns, began = _counts(collector), processes.cpu_ns()["trader"], time.monotonic()
                time.sleep(seconds)
                after, used = _counts(collector), processes.cpu_ns()["trader"] - cpu_ns
                took = time.monotonic() - began
                pids = {trader["pid"] for trader in after}
                children = psutil.Process(processes.running["trader"].pid).children(recursive=True)
                workers = [process.pid for process in children if process.pid in pids]
                private = sum(map(private_bytes, workers)) / 1e6
            traders = [
                {key: end[key] - start[key] for key in ("cycles", "processed", "cpu_ns")}
                for start, end in zip(before, after, strict=True)
            ]
            return FleetRun(used / 1e6 / took, private, len(workers), traders, took)


def _live(collector: Client) -> int:
    return sum(trader["state"] == "running" and not trader["stale"] for trader in collector.ask("traders"))


def _counts(collector: Client) -> Sequence[dict[str, Any]]:
    """The traders by name, as of their last report."""
    return sorted(collector.ask("traders"), key=lambda trader: str(trader["name"]))
