"""Many: 50 traders of different pace on one feed, each in a process of its own, in groups, and all in one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.fleet import FleetRun, run_fleet
from tests.bench.rigs.load import Load
from tests.bench.rigs.market import TRADERS

SYMBOLS = 5_000
RATE = 2_000
SWAP_MS = 100.0
PACES: tuple[tuple[str, str, float], ...] = (
    ("every cycle", "ticker", 0.0),
    ("once a second", "ticker", 1.0),
    ("once in five seconds", "ticker", 5.0),
    ("closed candles of 5m", "5m", 0.0),
)
"""Name, channel, and least interval in s."""


def run(options: Options) -> SectionReport:
    found = SectionReport("many")
    count = 8 if options.quick else 50
    seconds = 1.5 if options.quick else 10.0
    sides = {
        "a process each": _side(count, seconds, lambda _number: ""),
        "groups of ten": _side(count, seconds, lambda number: f"group-{number // 10}"),
        "one group": _side(count, seconds, lambda _number: "all"),
    }
    rows = [[name, side.processes, side.private_mb, side.cpu_ms] for name, side in sides.items()]
    title = f"{count} traders, {SYMBOLS:,} symbols, {RATE:,} ticks/s, swap every {SWAP_MS:g} ms"
    found.tables.append(ReportTable(title, ["", "processes", "private MB", "CPU ms/s"], rows))
    for name, side in sides.items():
        columns = ["pace", "traders", "cycles/s", "evaluations/s", "CPU ms/s", "us a cycle", "us an evaluation"]
        found.tables.append(ReportTable(f"each trader of them, {name}", columns, _by_pace(side)))
    apart, together = sides["a process each"], sides["one group"]
    found.plainly("traders in one process: share of the CPU of a process each", together.cpu_ms / apart.cpu_ms, "x")
    found.plainly(
        "traders in one process: share of the memory of a process each", together.private_mb / apart.private_mb, "x"
    )
    found.notes.append("CPU ms/s of a trader is that of its steps; of a process, that of ZeroMQ and waking up as well.")
    return found


def _by_pace(side: FleetRun) -> list[list[Any]]:
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


def _side(count: int, seconds: float, group_of: Callable[[int], str]) -> FleetRun:
    load = Load(SYMBOLS, RATE, seconds + 3.0, exponent=0.0)
    settings = {"TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": str(SWAP_MS)}
    return run_fleet(load, seconds, count, lambda plugins, configs: _place(plugins, configs, count, group_of), settings)


def _place(plugins: Path, configs: Path, count: int, group_of: Callable[[int], str]) -> None:
    shutil.copy(TRADERS / "paced.py", plugins / "paced.py")
    tables = []
    for number in range(count):
        _, channel, interval = PACES[number % len(PACES)]
        tables.append(f'[paced-{number:02d}]\nsource = "paced"\ngroup = "{group_of(number)}"\n')
        tables.append(f'[paced-{number:02d}.settings]\nchannel = "{channel}"\nmin_interval = {interval}\n')
    (configs / "traders.toml").write_text("\n".join(tables))
