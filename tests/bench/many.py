"""Many: 50 traders of different pace on one feed, each in a process of its own, in groups, and all in one."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from common.requests import Client
from tests.bench import board
from tests.bench.engine import LEAD_NS, folder_of_run
from tests.bench.load import Load
from tests.bench.options import Options
from tests.bench.processes import Processes, private_bytes
from tests.bench.report import Findings, Table
from tests.bench.world import TRADERS

SYMBOLS = 5_000
RATE = 2_000
SWAP_MS = 100.0
PERIOD_NS = 10_000_000
PACES: tuple[tuple[str, str, float], ...] = (
    ("every cycle", "ticker", 0.0),
    ("once a second", "ticker", 1.0),
    ("once in five seconds", "ticker", 5.0),
    ("closed candles of 5m", "5m", 0.0),
)
"""What it is called, channel, least interval in s."""


@dataclass(frozen=True)
class Side:
    """One way to run them all."""

    cpu_ms: float
    """Of all trader processes, in a second."""
    private_mb: float
    processes: int
    traders: list[dict[str, Any]]
    """As the collector knows them, counts of the measured time."""
    seconds: float


def run(options: Options) -> Findings:
    found = Findings("many")
    count = 8 if options.quick else 50
    seconds = 1.5 if options.quick else 10.0
    sides = {
        "a process each": _side(count, seconds, lambda _number: ""),
        "groups of ten": _side(count, seconds, lambda number: f"group-{number // 10}"),
        "one group": _side(count, seconds, lambda _number: "all"),
    }
    rows = [[name, side.processes, side.private_mb, side.cpu_ms] for name, side in sides.items()]
    title = f"{count} traders, {SYMBOLS:,} symbols, {RATE:,} ticks/s, swap every {SWAP_MS:g} ms"
    found.tables.append(Table(title, ["", "processes", "private MB", "CPU ms/s"], rows))
    for name, side in sides.items():
        columns = ["pace", "traders", "cycles/s", "evaluations/s", "CPU ms/s", "us a cycle", "us an evaluation"]
        found.tables.append(Table(f"each trader of them, {name}", columns, _by_pace(side)))
    apart, together = sides["a process each"], sides["one group"]
    found.plainly("traders in one process: share of the CPU of a process each", together.cpu_ms / apart.cpu_ms, "x")
    found.plainly(
        "traders in one process: share of the memory of a process each", together.private_mb / apart.private_mb, "x"
    )
    found.notes.append("CPU ms/s of a trader is that of its steps; of a process, that of ZeroMQ and waking up as well.")
    return found


def _by_pace(side: Side) -> list[list[Any]]:
    rows = []
    for number, (label, _, _) in enumerate(PACES):
        mine = side.traders[number :: len(PACES)]
        cycles = sum(trader["cycles"] for trader in mine)
        evaluations = sum(trader["processed"] for trader in mine)
        cpu_us = sum(trader["cpu_ns"] for trader in mine) / 1_000
        of = len(mine) * side.seconds
        rows.append([
            label, len(mine), cycles / of, evaluations / of, cpu_us / 1_000 / of,
            cpu_us / cycles if cycles else None, cpu_us / evaluations if evaluations else None,
        ])  # fmt: skip
    return rows


def _side(count: int, seconds: float, group_of: Any) -> Side:
    """Run the traders under load for a while. Raises RunFailed."""
    load = Load(SYMBOLS, RATE, seconds + 3.0, exponent=0.0)
    with folder_of_run(load, False) as (folder, runtime):
        _traders(folder, count, group_of)
        environment = {
            "TICKFLAG_CONFIG": str(folder / "configs"),
            "TICKFLAG_RUNTIME__ROOT": str(folder),
            "TICKFLAG_INSTANCE": runtime.folder.name,
            "TICKFLAG_SEGMENT__CAPACITY": str(SYMBOLS),
            "TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": str(SWAP_MS),
            "TICKFLAG_FEED__RATE_LIMIT_MS": "0",
            "TICKFLAG_TRADER__PLUGINS": str(folder / "plugins"),
        }
        words = board.opened(folder / "board")
        with Processes(folder, environment) as processes:
            processes.start("feed", "tests.bench.feed_process", str(folder), str(PERIOD_NS))
            processes.start("collector", "services.collector")
            processes.wait_until(lambda: runtime.read_pointer() is not None, 60, "segment")
            processes.start("trader", "services.trader")
            with Client(runtime, "collector") as collector:
                processes.wait_until(lambda: _live(collector) == count, 120, f"reports of {count} traders")
                words[board.START] = time.monotonic_ns() + LEAD_NS
                time.sleep(1.0 + LEAD_NS / 1e9)
                before, cpu_ns, began = _counts(collector), processes.cpu_ns()["trader"], time.monotonic()
                time.sleep(seconds)
                after, used = _counts(collector), processes.cpu_ns()["trader"] - cpu_ns
                took = time.monotonic() - began
                workers = [
                    process.pid
                    for process in psutil.Process(processes.running["trader"].pid).children(recursive=True)
                    if process.pid in {trader["pid"] for trader in after}
                ]
                private = sum(map(private_bytes, workers)) / 1e6
            traders = [
                {key: end[key] - start[key] for key in ("cycles", "processed", "cpu_ns")}
                for start, end in zip(before, after, strict=True)
            ]
            return Side(used / 1e6 / took, private, len(workers), traders, took)


def _traders(folder: Path, count: int, group_of: Any) -> None:
    (folder / "configs").mkdir()
    (folder / "plugins").mkdir()
    shutil.copy(TRADERS / "paced.py", folder / "plugins" / "paced.py")
    tables = []
    for number in range(count):
        _, channel, interval = PACES[number % len(PACES)]
        tables.append(f'[paced-{number:02d}]\nsource = "paced"\ngroup = "{group_of(number)}"\n')
        tables.append(f'[paced-{number:02d}.settings]\nchannel = "{channel}"\nmin_interval = {interval}\n')
    (folder / "configs" / "traders.toml").write_text("\n".join(tables))


def _live(collector: Client) -> int:
    return sum(trader["state"] == "running" and not trader["stale"] for trader in collector.ask("traders"))


def _counts(collector: Client) -> Sequence[dict[str, Any]]:
    """The traders as of their last report, by name."""
    return sorted(collector.ask("traders"), key=lambda trader: str(trader["name"]))
