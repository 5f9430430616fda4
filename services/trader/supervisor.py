"""Supervisor: finds the trader files, keeps one worker process for each, and tells the collector about them.

Workers come from a fork server (`forkserver.py`), so they start in milliseconds; a plugin that raises, loops, leaks,
crashes or calls `os._exit` ends or hangs its own worker only, which is started again with backoff.
"""

import multiprocessing
import os
import time
from collections.abc import Iterable
from pathlib import Path

import zmq

from common.codec import encode
from common.lifecycle import Stop
from common.log import Logger
from common.messages import Roster
from common.runtime import Runtime
from common.settings import Settings
from common.sockets import RESULTS_OUT, Context, open_socket, try_send
from services.trader.child import Child

MS = 1_000_000
LOOK_NS = 500 * MS  # between looks at deadlines, logs and the roster
STOP_GRACE_NS = 2_000 * MS


def trader_files(folder: Path) -> list[Path]:
    """The files of a plugin folder that are traders: `*.py` not beginning with `_` or `.`."""
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith(("_", ".")))


class Supervisor:
    """The trader service. Create it holding the role `trader`."""

    def __init__(self, settings: Settings, runtime: Runtime, context: Context, log: Logger) -> None:
        self._log = log
        runtime.logs.mkdir(mode=0o700, exist_ok=True)
        folder = settings.trader.plugins
        files = trader_files(folder)
        if not files:
            log.warning("no traders", folder=str(folder.resolve()), do="put a trader file there; see docs")
        spawner = multiprocessing.get_context("forkserver")
        spawner.set_forkserver_preload(["services.trader.forkserver"])
        self._results = open_socket(context, runtime, RESULTS_OUT)
        self._children = [Child(path, settings, runtime, spawner, log) for path in files]
        self._look_due_ns = 0

    def run(self, stop: Stop) -> None:
        """Start the workers and keep them until a stop is asked for; then end them."""
        for child in self._children:
            if not stop.requested:
                child.start(time.monotonic_ns())
        while not stop.requested:
            self._turn(time.monotonic_ns())
            self._wait([stop.fileno()], self._wait_ns(time.monotonic_ns()))
        self._stop_all()

    def close(self) -> None:
        self._results.close()

    def _turn(self, now_ns: int) -> None:
        changed = False
        for child in self._children:
            changed |= child.turn(now_ns)
        changed |= self._grant_names()
        if changed or now_ns >= self._look_due_ns:
            for child in self._children:
                child.look(now_ns)
            self._report()
            self._look_due_ns = now_ns + LOOK_NS

    def _grant_names(self) -> bool:
        """Let loaded workers run. Of two files that declare the same name the first by file name has it."""
        granted = False
        for number, child in enumerate(self._children):
            if not child.waits:
                continue
            same = [other for other in self._children if other.granted and other.name == child.name]
            holder = next((other for other in same if other is not child), None)
            if holder is not None and holder in self._children[:number]:
                child.refuse(_duplicate(child, holder))
                continue
            if holder is not None:
                holder.refuse(_duplicate(holder, child))
            child.grant()
            granted = True
        return granted

    def _report(self) -> None:
        roster = Roster(
            pid=os.getpid(),
            time_ms=time.time_ns() // MS,
            traders=[child.entry() for child in self._children],
            complete=all(child.name for child in self._children),
        )
        try_send(self._results, encode(roster))

    def _wait_ns(self, now_ns: int) -> int:
        due = [self._look_due_ns, *(child.due_ns for child in self._children if child.due_ns)]
        return max(0, min(due) - now_ns)

    def _wait(self, descriptors: Iterable[int], wait_ns: int) -> None:
        """Until a child ends or says something, a descriptor is readable or the time is over."""
        poller = zmq.Poller()
        for descriptor in (*descriptors, *(d for child in self._children for d in child.descriptors())):
            poller.register(descriptor, zmq.POLLIN)
        poller.poll(-(-wait_ns // MS))

    def _stop_all(self) -> None:
        """Ask every worker, wait for all together, end those that do not listen."""
        deadline_ns = time.monotonic_ns() + STOP_GRACE_NS
        for child in self._children:
            child.ask_stop()
        while any(child.alive for child in self._children) and time.monotonic_ns() < deadline_ns:
            self._wait((), 50 * MS)
            for child in self._children:
                child.turn(time.monotonic_ns())
        for child in self._children:
            child.kill()
        self._report()
        self._log.info("traders stopped", traders=len(self._children))


def _duplicate(loser: Child, holder: Child) -> str:
    return f"{loser.path.name}: the name {loser.name!r} is already that of {holder.path.name}"
