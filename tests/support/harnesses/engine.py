"""Engine: the real thing in processes of its own, in a runtime folder of its own, with nothing left behind.

    with Engine(tmp_path, env={"TICKFLAG_SYNTHETIC__RATE": "50"}, plugins=folder) as engine:
        engine.start("feed", "collector", "trader")
        engine.wait_ready()
        engine.kill("feed")
        engine.start("feed")
        engine.wait(lambda: engine.trader("rsi")["state"] == "running", 30)

A process that ends though the test did not ask for it fails the next `wait`, with its output.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

from common.errors import TickflagError
from common.requests import Client, Service, Unreachable
from common.runtime import Role, Runtime
from common.segment import AttachError, Segment

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("feed", "collector", "trader")
READY_S = 90.0  # a first start compiles kernels, on a machine that may be busy
STOP_S = 5.0  # the promise: a stop leaves nothing behind after so long
_LOOK_S = 0.02
_KEPT = {"collector.lock", "feed.lock", "trader.lock", "traders.json", "logs"}  # and the journal

T = TypeVar("T")


class Engine:
    """One instance. `env` are settings as variables; without `plugins` the shipped traders run.

    Outputs of the processes are files in `folder`. Use it in a `with` block, from one thread.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None, plugins: Path | None = None) -> None:
        self.folder = folder
        self.root = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))  # short: socket paths have at most 103 bytes
        self.runtime = Runtime(self.root, "test")
        self.plugins = plugins or ROOT / "plugins"
        config = folder / "configs"
        config.mkdir(parents=True, exist_ok=True)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.upper().startswith("TICKFLAG_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            "TICKFLAG_CONFIG": str(config),
            "TICKFLAG_INSTANCE": "test",
            "TICKFLAG_RUNTIME__ROOT": str(self.root),
            "TICKFLAG_TRADER__PLUGINS": str(self.plugins),
            "TICKFLAG_COLLECTOR__METRICS_PORT": "0",  # engines side by side would go through the ports
            "TICKFLAG_TRADER__SLOW_SHARE": "0",  # on a busy machine every trader is slow
            "TICKFLAG_RECOVERY__ERRORS": "10000",  # a test of a fault looks at the fault, and not at what it leads to
            **(env or {}),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending: set[str] = set()

    # Processes.

    def start(self, *services: str, env: Mapping[str, str] | None = None) -> None:
        """Start services, all three where none is named; `env` changes settings for these."""
        for service in services or SERVICES:
            self.spawn(service, sys.executable, "-m", f"services.{service}", env=env)

    def spawn(self, name: str, *command: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start any command as a process of this engine, in a session of its own; its output is `output(name)`."""
        if name in self._processes and self._processes[name].poll() is None:
            raise AssertionError(f"{name} is running already")
        with (self.folder / f"{name}.out").open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process
        self._ending.discard(name)
        return process

    def cli(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            self.cli_command(*arguments), cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=timeout
        )

    def cli_command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "services.cli", *arguments]

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def alive(self, name: str) -> bool:
        return name in self._processes and self._processes[name].poll() is None

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal and go on: SIGSTOP, SIGCONT, or one that will end it."""
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            self._ending.add(name)
        self._processes[name].send_signal(number)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, timeout: float = STOP_S) -> int:
        """Send a signal that ends it; gives its exit status once it has ended."""
        self.send(name, number)
        return self.wait_exit(name, timeout)

    def stop(self, name: str, timeout: float = STOP_S) -> int:
        """End it in order; gives its exit status."""
        return self.kill(name, signal.SIGTERM, timeout)

    def wait_exit(self, name: str, timeout: float = STOP_S) -> int:
        """Its exit status; negative for a signal."""
        self._ending.add(name)
        try:
            return self._processes[name].wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} did not end within {timeout:g} s\n{self.report()}") from None

    def processes(self) -> list[psutil.Process]:
        """Every process of this engine that lives, workers and fork server included."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                ours = process.environ().get("TICKFLAG_RUNTIME__ROOT") == str(self.root)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def leftovers(self) -> list[str]:
        """What should be gone after a stop: processes, segments, pointer and sockets."""
        files = [
            path.name
            for path in sorted(self.runtime.folder.glob("*"))
            if path.name not in _KEPT and not path.name.startswith("journal.sqlite")
        ]
        return files + [f"{process.pid} {process.name()}" for process in self.processes()]

    # Conditions.

    def wait(self, predicate: Callable[[], T], timeout: float = READY_S, what: str = "") -> T:
        """Wait until `predicate` gives something true, and give that. One that cannot ask yet counts as false.

        Fails when the time is over, or when a process ended by itself.
        """
        deadline = time.monotonic() + timeout
        while True:
            reason = ""
            try:
                value = predicate()
                if value:
                    return value
            except (Unreachable, AttachError) as error:
                reason = f" ({error})"
            for name, process in self._processes.items():
                if process.poll() is not None and name not in self._ending:
                    raise AssertionError(f"{name} ended by itself: {process.returncode}\n{self.report()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout:g} s: {what or predicate}{reason}\n{self.report()}")
            time.sleep(_LOOK_S)

    def wait_ready(self, timeout: float = READY_S, but: Collection[str] = ()) -> None:
        """Until feed and collector answer and every trader file has a trader that is synced, or was skipped.

        Those named in `but` may be in any state.
        """
        self.wait(lambda: self.request("feed", "status"), timeout, "the feed answers")
        files = [path for path in self.plugins.glob("*.py") if not path.name.startswith(("_", "."))]

        def settled() -> bool:
            traders = self.request("collector", "traders")
            done = [t for t in traders if t["name"] in but or t["state"] == "skipped" or t["synced"]]
            return len(traders) >= len(files) and len(done) == len(traders)

        self.wait(settled, timeout, "every trader is synced")

    def wait_gone(self, timeout: float = STOP_S) -> None:
        """Until nothing is left. Killed children of a process that has ended may take a moment to follow it."""
        self.wait(lambda: not self.leftovers(), timeout, "nothing is left")

    # Questions.

    def request(self, service: Service, what: str, **arguments: Any) -> Any:
        """The result of a request. Raises Unreachable where nobody runs, TickflagError where it is refused."""
        with Client(self.runtime, service) as client:
            return client.ask(what, **arguments)

    def trader(self, name: str) -> dict[str, Any]:
        """The collector's line of a trader; Unreachable while it knows none of this name."""
        for trader in self.request("collector", "traders"):
            if trader["name"] == name:
                return dict(trader)
        raise Unreachable(f"no trader {name!r} yet")

    def matches(self, trader: str) -> dict[str, float]:
        """Its matches by symbol; Unreachable while the collector knows none."""
        try:
            found: dict[str, float] = self.request("collector", "matches", trader=trader)["matches"]
        except TickflagError as error:
            raise Unreachable(str(error)) from None
        return found

    def signals(self, since: int = 0) -> list[dict[str, Any]]:
        """All journalled signals with a number above `since`."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.request("collector", "signals", since=since, limit=1_000)
            found += page["signals"]
            if not page["signals"] or page["signals"][-1]["seq"] >= page["last_seq"]:
                return found
            since = page["signals"][-1]["seq"]

    @contextmanager
    def segment(self) -> Iterator[Segment]:
        """The current segment, read-only. Raises AttachError."""
        with Segment.attach_current(self.runtime) as segment:
            yield segment

    def holder(self, service: str) -> int | None:
        """Process id of the holder of a role."""
        return Role.holder(self.runtime, service)

    # Outputs.

    def output(self, name: str) -> str:
        """What a process wrote, over all its lives."""
        path = self.folder / f"{name}.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def trader_log(self, stem: str) -> str:
        """What the trader of the file `stem`.py wrote."""
        path = self.runtime.logs / f"{stem}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def report(self) -> str:
        """The end of every output, for a failure's message."""
        outputs = {path.name: path for path in sorted(self.folder.glob("*.out"))}
        outputs |= {f"trader {path.name}": path for path in sorted(self.runtime.logs.glob("*.log"))}
        return "\n".join(
            f"--- {name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:])
            for name, path in outputs.items()
        )

    def close(self) -> None:
        """End every process of this engine at once and remove its runtime folder."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        # What they started ends with them, within moments; what does not is ended here.
        while left := self.processes():
            for stray in left:
                with suppress(psutil.Error):
                    stray.kill()
            psutil.wait_procs(left, 1.0)
        shutil.rmtree(self.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_trader(folder: Path, stem: str, body: str, **declaration: Any) -> Path:
    """A trader file: `body` holds its hook `evaluate` or `evaluate_symbol`; its name is `stem` unless declared."""
    declared = ", ".join(f"{key}={value!r}" for key, value in {"name": stem, **declaration}.items())
    text = f"""\
        import os, sys, time
        import numpy as np
        from common.traderapi import Market, Symbol, Trader, hookimpl

        @hookimpl
        def trader():
            return Trader({declared})

        """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.py"
    path.write_text(textwrap.dedent(text) + textwrap.dedent(body))
    return path


MATCH_ALL = """\
@hookimpl
def evaluate(market):
    return np.ones(len(market), bool)
"""
