"""Processes: a Procfile's processes under honcho's manager, which ends them all when one ends, or when asked to."""

import math
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from honcho.manager import Manager
from honcho.printer import Message, Printer

KILL_AFTER_S = 4.0  # a stop is over within 5 s

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Processes(Manager):  # type: ignore[misc] # honcho has no types
    """`run` starts all and gives those that ended by themselves. In the main thread, once."""

    def __init__(self) -> None:
        super().__init__(_Output(self))
        self._asked = ""
        self._ended: dict[str, int] = {}
        self._stop_at = self._kill_at = math.inf

    def run(self, commands: Mapping[str, str], environment: Mapping[str, str], limit_s: float | None) -> dict[str, int]:
        """Name and exit status of each process that ended by itself; nothing where a signal or the limit ended all."""
        for name, command in commands.items():
            self.add_process(name, command, env=dict(environment))
        if limit_s is not None:
            self._stop_at = time.monotonic() + limit_s
        former = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
        try:
            self.loop()
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
        return self._ended

    def ask_stop(self, reason: str) -> None:
        """End all, soon."""
        self._asked = reason

    def terminate(self) -> None:
        """Called by the loop as well, when one has ended."""
        if self._terminating:
            return
        if self._asked:
            self._system_print(f"{self._asked}\n")
        else:
            self._ended = {name: p["returncode"] for name, p in self._processes.items() if "returncode" in p}
        self._kill_at = time.monotonic() + KILL_AFTER_S
        super().terminate()

    def _start(self) -> None:
        # The loop has just set handlers that act at once, which fails where a process is not known to have started.
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda number, _frame: self.ask_stop(f"{signal.Signals(number).name} received"))
        super()._start()

    def _all_started(self) -> bool:
        """The loop asks this at least ten times a second: where we look whether it is time to end."""
        started = bool(super()._all_started())
        now = time.monotonic()
        if now >= self._stop_at and not self._asked:
            self.ask_stop("the time is over")
        if started and self._asked:
            self.terminate()
        if now >= self._kill_at:
            self._kill_at = math.inf
            self.kill()
        return started


class _Output(Printer):  # type: ignore[misc] # as above
    """honcho's lines on standard output. Where nobody reads them any more, all ends."""

    def __init__(self, processes: Processes) -> None:
        super().__init__(sys.stdout)
        self._owner = processes

    def write(self, message: Message) -> None:
        try:
            super().write(message)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._owner.ask_stop("nobody reads this any more")


def environment() -> dict[str, Any]:
    """Ours, with this interpreter as `python` and output that does not wait in buffers."""
    folder = os.path.dirname(sys.executable)
    return {**os.environ, "PATH": os.pathsep.join((folder, os.environ.get("PATH", ""))), "PYTHONUNBUFFERED": "1"}
