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
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

from tests.support.documents.pages import ROOT
from tests.support.processes.commands import PYTHON, run_command, tickflag_command
from tests.support.processes.waiting import allowed_s, wait_until
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.segment import AttachError, Segment
from tickflag.common.wire.requests import Client, Service, Unreachable

SERVICES = ("feed", "collector", "trader")
READY_S = 90.0  # a first start compiles kernels, on a machine that may be busy
STOP_S = 5.0  # the promise: a stopped engine leaves nothing behind after so long
_KEPT = {
    "collector.lock",
    "dashboard.lock",
    "dashboard.token",
    "feed.lock",
    "start.log",
    "starter.lock",
    "trader.lock",
    "traders.json",
    "logs",
}  # and the journal

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
            "TICKFLAG_COLLECTOR__METRICS_PORT": "0",  # engines side by side would want the same port
            "TICKFLAG_DASHBOARD__PORT": "0",  # and most tests want none
            "TICKFLAG_TRADER__SLOW_SHARE": "0",  # on a busy machine every trader is slow
            "TICKFLAG_RECOVERY__ERRORS": "10000",  # a test of one fault wants no quarantine
            **(env or {}),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending: set[str] = set()

    # Processes.

    def start(self, *services: str, env: Mapping[str, str] | None = None) -> None:
        """Start services, all three where none is named; `env` changes settings for these."""
        for service in services or SERVICES:
            self.spawn(service, *PYTHON, "-m", f"tickflag.services.{service}", env=env)

    def start_feed_last(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        """Start all three, the feed once every trader waits for it: no trader is late for a short recording.

        `command` starts a feed of the test's own in place of the real one.
        """
        self.start("collector", "trader", env=env)

        def all_wait() -> bool:
            lines = self.request("trader", "traders")
            loaded = [one["name"] for one in lines if one["state"] == "running" and not one["busy"]]
            waiting = {one["name"] for one in self.request("collector", "traders") if one["state"] == "waiting"}
            return len(loaded) >= self._trader_files() and waiting.issuperset(loaded)

        self.wait(all_wait, what="every trader waits for a feed")
        if command:
            self.spawn("feed", *command, env=env)
        else:
            self.start("feed", env=env)

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

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return run_command(tickflag_command(*arguments), env=self.env)

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def alive(self, name: str) -> bool:
        return name in self._processes and self._processes[name].poll() is None

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal and do not wait: SIGSTOP, SIGCONT, or one that will end the process."""
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            self._ending.add(name)
        self._processes[name].send_signal(number)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, timeout: float = STOP_S) -> int:
        """Send a signal that ends the process, and wait; gives the exit status."""
        self.send(name, number)
        return self.wait_exit(name, timeout)

    def stop(self, name: str, timeout: float = STOP_S) -> int:
        """Stop the process in order; gives its exit status."""
        return self.kill(name, signal.SIGTERM, timeout)

    def wait_exit(self, name: str, timeout: float = STOP_S) -> int:
        """The exit status, once the process has ended; negative where a signal ended it."""
        self._ending.add(name)
        try:
            return self._processes[name].wait(allowed_s(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} did not end within {timeout:g} s\n{self.report()}") from None

    def processes(self) -> list[psutil.Process]:
        """Every living process of this engine, workers and fork server included."""
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
        """Wait until `predicate` gives something true, and give that. Unreachable and AttachError count as false.

        Fails when the time is over, or when a process ended by itself.
        """
        reason = ""

        def answered() -> T | None:
            nonlocal reason
            try:
                value = predicate()
                if value:
                    return value
            except (Unreachable, AttachError) as error:
                reason = f"{error}\n"
            for name, process in self._processes.items():
                if process.poll() is not None and name not in self._ending:
                    raise AssertionError(f"{name} ended by itself: {process.returncode}\n{self.report()}")
            return None

        found = wait_until(answered, timeout, what, lambda: reason + self.report())
        assert found is not None
        return found

    def wait_ready(self, timeout: float = READY_S, but: Collection[str] = ()) -> None:
        """Wait until feed and collector answer and the trader of every file is synced, or was skipped.

        The traders named in `but` may be in any state.
        """
        self.wait(lambda: self.request("feed", "status"), timeout, "the feed answers")

        def settled() -> bool:
            traders = self.request("collector", "traders")
            done = [t for t in traders if t["name"] in but or t["state"] == "skipped" or t["synced"]]
            return len(traders) >= self._trader_files() and len(done) == len(traders)

        self.wait(settled, timeout, "every trader is synced")

    def _trader_files(self) -> int:
        return len([path for path in self.plugins.glob("*.py") if not path.name.startswith(("_", "."))])

    def wait_gone(self, timeout: float = STOP_S) -> None:
        """Wait until nothing is left. The children of a killed process may end a moment after it."""
        self.wait(lambda: not self.leftovers(), timeout, "nothing is left")

    # Questions.

    def request(self, service: Service, what: str, **arguments: Any) -> Any:
        """The result of a request. Raises Unreachable where no process holds the role, TickflagError where it
        refuses."""
        with Client(self.runtime, service) as client:
            return client.ask(what, **arguments)

    def trader(self, name: str) -> dict[str, Any]:
        """The collector's line of a trader. Raises Unreachable while the collector knows no trader of this name."""
        for trader in self.request("collector", "traders"):
            if trader["name"] == name:
                return dict(trader)
        raise Unreachable(f"no trader {name!r} yet")

    def matches(self, trader: str) -> dict[str, float]:
        """The trader's matches by symbol. Raises Unreachable while the collector knows none."""
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
        """Process id of the process that holds a role."""
        return Role.holder(self.runtime, service)

    # Outputs.

    def output(self, name: str) -> str:
        """What a process wrote, from its first start on."""
        path = self.folder / f"{name}.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def trader_log(self, stem: str) -> str:
        """What the trader of the file `stem.py` wrote."""
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
        # What these processes started ends by itself within moments; what is still there then is killed.
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
    """Write a trader file. `body` holds its hook `evaluate` or `evaluate_symbol`; its name is `stem` unless
    declared."""
    declared = ", ".join(f"{key}={value!r}" for key, value in {"name": stem, **declaration}.items())
    text = f"""\
        import os, sys, time
        import numpy as np
        from tickflag import Market, Symbol, Trader, hookimpl

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
