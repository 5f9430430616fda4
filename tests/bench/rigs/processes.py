"""Processes of a run: started, their CPU read while they run, ended; their output kept, to be searched for errors."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]


class RunFailed(Exception):  # noqa: N818 - reads as what happened
    """A process ended early or something did not happen in time."""


def cpu_of_ns(pid: int) -> int:
    """CPU ns that the process has used so far, in all threads; 0 where it is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)  # CPUCLOCK_SCHED of that process
    except OSError:
        return 0


def private_bytes(pid: int) -> int:
    """USS: memory that the system would get back if the process ended."""
    return int(psutil.Process(pid).memory_full_info().uss)


class RunProcesses:
    """Child processes by name. Use it in a `with` block."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = {key: text for key, text in os.environ.items() if not key.startswith("TICKFLAG_")}
        self._environment |= environment | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str, *arguments: str) -> None:
        with self.log(name).open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], cwd=ROOT, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def log(self, name: str) -> Path:
        return self._folder / f"{name}.out"

    def wait_until(self, condition: Callable[[], bool], limit_s: float, what: str) -> None:
        """Wait until the condition holds. Raises RunFailed, with the processes' last output, where a process ended or
        the time is over."""
        deadline = time.monotonic() + limit_s
        while not condition():
            ended = [name for name, process in self.running.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                names = ended or list(self.running)
                said = "\n".join(f"{name}: {self.log(name).read_text()[-600:]}" for name in names)
                raise RunFailed(f"{'ended early' if ended else f'no {what} in {limit_s:g} s'}\n{said}")
            time.sleep(0.01)

    def cpu_ns(self) -> dict[str, int]:
        """CPU so far by process, child processes included."""
        return {name: sum(cpu_of_ns(pid) for pid in self._pids(process.pid)) for name, process in self.running.items()}

    def stop(self, *names: str) -> None:
        """Ask processes to end, all by default, and wait."""
        stopped = [self.running.pop(name) for name in names or list(self.running)]
        for process in stopped:
            process.send_signal(signal.SIGTERM)
        for process in stopped:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _pids(self, pid: int) -> Iterable[int]:
        try:
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        except psutil.NoSuchProcess:
            return [pid]

    def __enter__(self) -> "RunProcesses":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


def error_lines(paths: Sequence[Path]) -> list[str]:
    """The lines with an error, a warning or a traceback."""
    signs = ("error", "warning", "traceback", "exception")
    return [
        f"{path.stem}: {line.strip()}"
        for path in paths
        for line in path.read_text(errors="replace").splitlines()
        if any(sign in line.lower() for sign in signs)
    ]
