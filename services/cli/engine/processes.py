"""Processes: runs a Procfile's processes, and ends them all when one ends or a stop is asked for."""

import contextlib
import errno
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import click

from tickflag.common.lifecycle import KILL_AFTER_S, LIFELINE, Stop
from tickflag.services.cli.engine.line_writer import LineWriter

LOOK_S = 0.1  # between two looks for processes that ended
_AT_ONCE = 1 << 16
_COLOURS = ("cyan", "yellow", "green", "magenta", "red", "blue")


class Processes:
    """`run` starts all processes, and gives those that ended by themselves. Call it once, in the main thread.

    Each process gets a `LIFELINE`: should this process be killed, the services among them end all the same.
    """

    def __init__(self, output: LineWriter, coloured: bool = False) -> None:
        self.lost: OSError | None = None
        """Why the output was lost, where that ended the run, and not just because its reader ended."""
        self._output, self._coloured = output, coloured
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._rests: dict[str, bytes] = {}
        self._selector = selectors.DefaultSelector()
        self._styles: dict[str, str] = {}
        self._width = len("system")

    def run(
        self,
        commands: Mapping[str, str],
        environment: Mapping[str, str],
        limit_s: float | None = None,
        started: Callable[[], None] = lambda: None,
        beside: Collection[str] = (),
    ) -> dict[str, int]:
        """Run until all processes have ended; gives name and exit status of each that ended by itself: of none where a
        signal, the limit or the loss of the output ended them. `started` is called when all are started.

        Where one of those `beside` ends, the others go on, as long as there are any."""
        self._styles = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(commands)}
        self._width = max(map(len, ("system", *commands)))
        stop_at = math.inf if limit_s is None else time.monotonic() + limit_s
        ended: dict[str, int] = {}
        lifeline, ours = os.pipe()
        with Stop() as stop:
            self._selector.register(stop.fileno(), selectors.EVENT_READ)
            try:
                for name, command in commands.items():
                    self._start(name, command, {**environment, LIFELINE: str(lifeline)}, lifeline)
                started()
                while not (stop.requested or ended):
                    if time.monotonic() >= stop_at:
                        stop.request("the time is over")
                    if (error := self._output.error) is not None:
                        stop.request("nobody reads this any more")
                        self.lost = error if error.errno != errno.EPIPE else None
                    self._read()
                    ended = self._ended()
                    if self._running and ended and all(name in beside for name in ended):
                        for name in ended:
                            self.say(f"the others go on without {name}")
                        ended = {}
                if stop.requested:
                    self.say(stop.reason)
                    ended = {}
                self._selector.unregister(stop.fileno())
                self._end_all()
            finally:
                for process in self._running.values():  # of none, but where this process is at fault
                    _signal_group(process, signal.SIGKILL)
                for descriptor in (lifeline, ours):
                    os.close(descriptor)
        return ended

    def _start(self, name: str, command: str, environment: Mapping[str, str], lifeline: int) -> None:
        process = subprocess.Popen(
            command,
            shell=True,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(lifeline,),
            start_new_session=True,  # Ctrl-C reaches us only, and we end all in order
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, name)
        self._running[name] = process
        self._rests[name] = b""
        self.say(f"{name} started (pid={process.pid})")

    def _read(self) -> None:
        """Show what the processes write, within `LOOK_S`."""
        for key, _ in self._selector.select(LOOK_S):
            if key.data is not None and not self._show(key.data):
                self._selector.unregister(key.fileobj)

    def _show(self, name: str) -> bool:
        """Show what the process wrote; False where it writes no more."""
        stream = self._running[name].stdout
        assert stream is not None
        with contextlib.suppress(BlockingIOError):
            found = os.read(stream.fileno(), _AT_ONCE)
            *lines, self._rests[name] = (self._rests[name] + found).split(b"\n")
            if len(self._rests[name]) > _AT_ONCE:  # a line without an end
                lines.append(self._rests[name])
                self._rests[name] = b""
            for line in lines:
                self.say(line.decode(errors="replace"), name)
            return bool(found)
        return True

    def _ended(self) -> dict[str, int]:
        """Name and exit status of those that ended since the last call."""
        ended = {name: process.returncode for name, process in self._running.items() if process.poll() is not None}
        for name, status in ended.items():
            self._show(name)  # its last words; what it started may hold the pipe open
            if self._rests[name]:
                self.say(self._rests[name].decode(errors="replace"), name)
            stream = self._running.pop(name).stdout
            assert stream is not None
            with contextlib.suppress(KeyError):
                self._selector.unregister(stream)
            stream.close()
            self.say(f"{name} stopped (rc={status})")
        return ended

    def _end_all(self) -> None:
        """Stop all processes, and kill those that are not over in time."""
        self._send(signal.SIGTERM)
        kill_at = time.monotonic() + KILL_AFTER_S
        while self._running:
            self._read()
            self._ended()
            if time.monotonic() >= kill_at:
                kill_at = math.inf
                self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for name, process in self._running.items():
            self.say(f"sending {number.name} to {name} (pid {process.pid})")
            _signal_group(process, number)

    def say(self, line: str, name: str = "system") -> None:
        """Show a line. From any thread."""
        prefix = f"{datetime.now():%H:%M:%S} {name:<{self._width}} | "
        if self._coloured and name in self._styles:
            prefix = click.style(prefix, fg=self._styles[name])
        self._output.write(prefix + line)


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def environment() -> dict[str, Any]:
    """Our environment variables, with this interpreter as `python`, whose output is not buffered."""
    folder = os.path.dirname(sys.executable)
    return {**os.environ, "PATH": os.pathsep.join((folder, os.environ.get("PATH", ""))), "PYTHONUNBUFFERED": "1"}
