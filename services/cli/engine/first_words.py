"""FirstWords: says when the engine that is being started is ready, and what to type next."""

import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click

from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime, ServedAddress
from tickflag.common.wire.requests import Client

LOOK_S = 0.5
DASHBOARD_LOOKS = 10
"""So often the dashboard is waited for when all else is ready."""
ANSWER_S = 1.0


class FirstWords:
    """Use it in a `with` block round the run. A thread asks the services until every trader is loaded, or cannot be.

    `dashboard`: one is being started as well, and its address is said.
    """

    def __init__(self, runtime: Runtime, say: Callable[[str], None], end: str, dashboard: bool = False) -> None:
        self._runtime, self._say, self._dashboard = runtime, say, dashboard
        next_ = f"next, in another terminal: {command_line('status')}, or {command_line('signals --follow')}"
        self._next = (next_, end)
        self._open = command_line("dashboard --open")
        self._traders = command_line("traders")  # here, as the thread has no context
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            try:
                words = self._ready()
            except TickflagError:  # does not run or answer yet
                continue
            if words:
                for line in (words, *self._where(), *self._next):
                    self._say(line)
                return

    def _where(self) -> tuple[str, ...]:
        """The line that names the dashboard's address, and the command that opens it for changes too."""
        served = ServedAddress(self._runtime, "dashboard")
        for _ in range(DASHBOARD_LOOKS if self._dashboard else 0):
            url = served.read()
            if url:
                return (f"the dashboard is at {url}; {self._open} opens it with the right to change things",)
            if url is not None or self._over.wait(LOOK_S):
                break
        return ()

    def _ready(self) -> str:
        """What runs; empty while something is still starting."""
        with Client(self._runtime, "feed", ANSWER_S) as feed:
            feed.ask("status")
        with Client(self._runtime, "trader", ANSWER_S) as supervisor:
            listed = supervisor.ask("traders")
        with Client(self._runtime, "collector", ANSWER_S) as collector:
            known = {one["name"]: one for one in collector.ask("traders")}
        if any(one["busy"] or one["name"] not in known for one in listed):
            return ""
        running = sum(one["state"] == "running" for one in listed)
        words = f"the engine is ready: {running} {'trader runs' if running == 1 else 'traders run'}"
        return words if running == len(listed) else f"{words}, {len(listed) - running} not: {self._traders} says why"

    def __enter__(self) -> "FirstWords":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join(2 * ANSWER_S)


def command_line(arguments: str) -> str:
    """How to type `tickflag ARGUMENTS` in the current folder, for the instance and configuration of this command."""
    context = click.get_current_context(silent=True)
    options = context.find_root().params if context else {}
    given = "".join(f"--{name} {value} " for name, value in options.items() if value)
    return f"{_program()} {given}{arguments}"


def _program() -> str:
    own = Path(sys.executable).parent / "tickflag"
    found = shutil.which("tickflag")
    if found and own.exists() and os.path.samefile(found, own):
        return "tickflag"
    if own.exists():
        here = os.path.relpath(own)
        return str(own) if here.startswith("..") else here
    return f"{Path(sys.executable).name} -P -m tickflag.services.cli"
