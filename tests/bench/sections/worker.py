"""Worker: a whole worker process compared with one that processes everything; its memory, its start, and its
wake-up."""

import os
import signal
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.bench import board
from tests.bench.options import Options
from tests.bench.report import ReportTable, SectionReport
from tests.bench.rigs.engine import LEAD_NS, folder_of_run
from tests.bench.rigs.load import Load
from tests.bench.rigs.market import SHIPPED, TRADERS
from tests.bench.rigs.processes import RunProcesses, private_bytes
from tests.bench.rigs.spawn import Sink, SpawnedWorker, sink
from tickflag.common.protocol.reader import ChannelReader
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import Segment
from tickflag.common.settings import Settings, load
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.messages import Heartbeat

SYMBOLS = 5_000
CYCLE_MS = 10
GROUP = 20


def run(options: Options) -> SectionReport:
    found = SectionReport("worker")
    seconds = 1.5 if options.quick else 5.0
    for rate in (10_000,) if options.quick else (10_000, 1_000):
        _market(found, options, rate, seconds)
    return found


def _market(found: SectionReport, options: Options, rate: int, seconds: float) -> None:
    """A feed with `rate` ticks a second, spread evenly: `rate` / 100 symbols flagged in each cycle of 10 ms."""
    asleep_s = 1.0 if options.quick else 5.0
    first = not found.measures
    plan = Load(SYMBOLS, rate, seconds + (asleep_s if first else 0) + 1.0, exponent=0.0)
    with folder_of_run(plan, False) as (folder, runtime), sink(runtime) as results:
        (folder / "configs").mkdir()
        settings = _settings(folder, runtime, {})
        environment = {
            "TICKFLAG_CONFIG": str(folder / "configs"),
            "TICKFLAG_RUNTIME__ROOT": str(folder),
            "TICKFLAG_INSTANCE": runtime.folder.name,
            "TICKFLAG_SEGMENT__CAPACITY": str(SYMBOLS),
            "TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": "0",  # a cycle is what the load hands over every 10 ms
            "TICKFLAG_FEED__RATE_LIMIT_MS": "0",
        }
        words = board.opened(folder / "board")
        with RunProcesses(folder, environment) as processes:
            processes.start("feed", "tests.bench.rigs.feed_process", str(folder), str(CYCLE_MS * NS_PER_MS))
            processes.wait_until(lambda: runtime.read_pointer() is not None, 60, "segment")
            _Bench(found, options, folder, runtime, results, settings, words, plan, first).run(seconds, asleep_s)


def _settings(folder: Path, runtime: Runtime, trader: Mapping[str, object]) -> Settings:
    os.environ["TICKFLAG_CONFIG"] = str(folder / "configs")
    try:
        return load(runtime={"root": folder}, instance=runtime.folder.name, trader=trader)
    finally:
        del os.environ["TICKFLAG_CONFIG"]


class _Bench:
    """The workers of one market."""

    def __init__(
        self, found: SectionReport, options: Options, folder: Path, runtime: Runtime, results: Sink, settings: Settings,
        words: np.ndarray, plan: Load, first: bool,
    ) -> None:  # fmt: skip
        self._found, self._options, self._folder, self._runtime = found, options, folder, runtime
        self._results, self._settings, self._words, self._plan, self._first = results, settings, words, plan, first
        self._number = 0

    def run(self, seconds: float, asleep_s: float) -> None:
        if self._first:
            self._start_and_memory()
            self._group_memory()
        rsi, empty = SHIPPED / "rsi.py", TRADERS / "empty.py"
        workers = {
            "RSI, tracking": self._spawn(rsi),
            "RSI, all symbols": self._spawn(rsi, tracking=False),
            "empty rule, tracking": self._spawn(empty),
            "empty rule, all symbols": self._spawn(empty, tracking=False),
        }
        time.sleep(1.0)
        start_ns = time.monotonic_ns() + LEAD_NS
        self._words[board.START] = start_ns
        time.sleep(0.5 + LEAD_NS / 1e9)
        with Segment.attach_current(self._runtime) as segment:
            reader = ChannelReader(segment, 0, np.ones(SYMBOLS, np.uint8))
            used = {name: worker.cpu_ns() for name, worker in workers.items()}
            closed = reader.observe()[0]
            time.sleep(seconds)
            cycles = reader.observe()[0] - closed
            used = {name: worker.cpu_ns() - used[name] for name, worker in workers.items()}
            self._report(used, cycles, seconds)
            for name, worker in workers.items():
                if name != "RSI, tracking":
                    worker.stop()
            if self._first:
                self._asleep(reader, asleep_s)
            workers["RSI, tracking"].stop()
            del reader

    def _report(self, used: dict[str, int], cycles: int, seconds: float) -> None:
        share = self._plan.rate * CYCLE_MS / 1_000 / SYMBOLS
        ratio = used["RSI, tracking"] / used["RSI, all symbols"]
        name = f"RSI worker at a 10 ms cycle, {share:.1%} of {SYMBOLS:,} flagged: share of the CPU of tracking off"
        self._found.at_most(name, ratio, 0.25, "x")
        rows = [[name, value / cycles / 1_000, value / seconds / 1e7] for name, value in used.items()]
        columns = ["worker process", "CPU us a cycle", "% of a core"]
        title = f"whole worker processes, {self._plan.rate:,} ticks/s, {cycles} cycles in {seconds:g} s"
        self._found.tables.append(ReportTable(title, columns, rows))
        if self._first:
            fixed = used["empty rule, tracking"] / cycles / 1_000
            self._found.plainly("fixed cost of a wake-up (empty rule)", fixed, "us", "CPU, ZeroMQ's thread included")

    def _start_and_memory(self) -> None:
        """Measure from the fork to ready and to the first heartbeat; the first start includes that of the fork
        server."""
        ready, heard, private = [], [], 0
        self._spawn(TRADERS / "empty.py").stop()
        for _ in range(2 if self._options.quick else 7):
            worker = self._spawn(TRADERS / "empty.py", wait=False)
            worker.wait_ready()
            ready.append((time.monotonic_ns() - worker.started_ns) / 1e6)
            self._results.wait_heartbeat(worker.incarnation)
            heard.append((time.monotonic_ns() - worker.started_ns) / 1e6)
            private = private_bytes(worker.pid)
            worker.stop()
        self._found.at_most("start of a worker, fork to trader loaded", statistics.median(ready), 200.0, "ms")
        self._found.at_most("start of a worker, fork to first heartbeat", statistics.median(heard), 200.0, "ms")
        self._found.at_most("private memory (USS) of a worker with an empty trader", private / 1e6, 30.0, "MB")

    def _group_memory(self) -> None:
        """Measure twenty traders in twenty processes, and in one."""
        alone = [self._spawn(TRADERS / "empty.py") for _ in range(GROUP)]
        group = self._spawn(TRADERS / "empty.py", members=GROUP)
        for worker in (*alone, group):
            self._results.wait_heartbeat(worker.incarnation)
        apart, together = sum(private_bytes(worker.pid) for worker in alone), private_bytes(group.pid)
        for worker in (*alone, group):
            worker.stop()
        name = f"private memory (USS) of {GROUP} empty traders as a group"
        self._found.plainly(name, together / 1e6, "MB", f"in processes of their own: {apart / 1e6:.1f} MB")

    def _asleep(self, reader: ChannelReader, asleep_s: float) -> None:
        """Stop a worker, let the market go on, and wake it: how many cycles does it need to catch up?"""
        worker = self._spawn(SHIPPED / "rsi.py", heartbeat_ms=20)
        before = self._results.wait_heartbeat(worker.incarnation, since=1)
        time.sleep(0.2)
        for message in self._results.take():
            if isinstance(message, Heartbeat) and message.incarnation == worker.incarnation:
                before = message
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(asleep_s)
        self._results.take()
        closed = reader.observe()[0]
        woken_ns = time.monotonic_ns()
        os.kill(worker.pid, signal.SIGCONT)
        after = self._results.wait_heartbeat(worker.incarnation, since=closed)
        took_ms = (time.monotonic_ns() - woken_ns) / 1e6
        exact = (after.cycles - after.fast) - (before.cycles - before.fast)
        worker.stop()
        name = f"cycles that a worker asleep for {asleep_s:g} s needs to catch up"
        missed = closed - before.cycle
        self._found.at_most(name, exact, 1, "", f"it missed {missed:,}; reported after {took_ms:.0f} ms")

    def _spawn(
        self, path: Path, tracking: bool = True, heartbeat_ms: float = 1_000, wait: bool = True, members: int = 1
    ) -> SpawnedWorker:
        self._number += 1
        block = {"tracking": tracking, "heartbeat_ms": heartbeat_ms}
        settings = _settings(self._folder, self._runtime, block)
        worker = SpawnedWorker(path, settings, self._folder / f"worker-{self._number}.log", self._number, members)
        if wait:
            worker.wait_ready()
        return worker
