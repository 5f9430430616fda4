"""Supervisor: keeps one worker process for each trader there is, and tells the collector about them.

Workers come from a fork server (`forkserver.py`), so they start in milliseconds; a plugin that raises, loops, leaks,
crashes or calls `os._exit` ends or hangs its own worker only, which is started again with backoff. Files that are
added, changed or removed meanwhile concern their own traders only.
"""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import zmq

from common.blocks import TraderTable
from common.codec import decode_as, encode
from common.errors import MessageError, TickflagError
from common.lifecycle import Stop
from common.log import Logger
from common.messages import Control, FaultKind, Roster
from common.runtime import Runtime
from common.settings import Settings, config_folder, load
from common.sockets import CONTROL_IN, RESULTS_OUT, Context, open_socket, receive, try_send
from services.trader.catalog import read_catalog
from services.trader.changes import LOOK_NS as RESTLESS_NS
from services.trader.changes import Changes, Hints
from services.trader.commands import Commands
from services.trader.fleet import Fleet
from services.trader.memory import FILE, Memory
from services.trader.reports import Reports

MS = 1_000_000
LOOK_NS = 500 * MS  # between looks at deadlines, logs, files and the roster
STOP_GRACE_NS = 2_000 * MS


class Supervisor:
    """The trader service. Create it holding the role `trader`."""

    def __init__(self, settings: Settings, runtime: Runtime, context: Context, log: Logger) -> None:
        self._log, self._safe = log, settings.trader.safe
        runtime.logs.mkdir(mode=0o700, exist_ok=True)
        self._folder = settings.trader.plugins
        spawner = multiprocessing.get_context("forkserver")
        spawner.set_forkserver_preload(["services.trader.forkserver"])
        state = settings.state_folder()
        with contextlib.suppress(OSError):  # what is switched is then told to be not kept
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        memory = Memory(state / FILE)
        if memory.fault:
            log.warning("memory of the traders is damaged", fault=memory.fault, do="disable again what must not run")
        self._fleet = Fleet(settings, runtime, spawner, memory, log)
        self._tables: Mapping[str, TraderTable] = settings.traders
        self._config = config_folder()
        self._follows = settings.trader.reload and not self._safe
        self._changes = Changes(self._files if self._follows else list)
        self._hints = Hints((self._folder, self._config) if self._follows else ())
        self._results = open_socket(context, runtime, RESULTS_OUT)
        self._control = open_socket(context, runtime, CONTROL_IN)
        self._reports = Reports(lambda frame: try_send(self._results, frame))
        self._commands = Commands(context, runtime, self._fleet, self._safe)
        self._look_due_ns = 0

    def run(self, stop: Stop) -> None:
        """Start the workers and keep them until a stop is asked for; then end them."""
        if self._safe:
            self._log.warning("safe mode", do="no trader is loaded; start without `--safe` to load them")
        else:
            self._fleet.follow(read_catalog(self._folder, self._tables))
            if not len(self._fleet):
                folder = str(self._folder.resolve())
                self._log.warning("no traders", folder=folder, do="put a trader file there; see docs")
        while not stop.requested:
            self._turn(time.monotonic_ns())
            self._wait([stop.fileno(), self._hints.fileno()], self._wait_ns(time.monotonic_ns()))
        self._stop_all()

    def close(self) -> None:
        """Release sockets and threads; call it after `run`, however that ended."""
        self._fleet.kill()
        self._commands.close()
        self._hints.close()
        self._results.close()
        self._control.close()

    def _turn(self, now_ns: int) -> None:
        changed = bool(self._commands.step())
        frame = receive(self._control)
        if frame is not None:
            with contextlib.suppress(MessageError):
                changed |= self._fleet.obey(decode_as(Control, frame))
        if self._hints.take() or now_ns >= self._look_due_ns:
            self._fleet.look(now_ns)
            self._follow_files(now_ns)
            self._look_due_ns = now_ns + (RESTLESS_NS if self._changes.restless else LOOK_NS)
            changed = True
        if self._fleet.turn(now_ns) or changed:
            self._report()
        for ending in self._fleet.take_endings():
            what: FaultKind = "deadline" if ending.hung else "exit"
            self._reports.fault(ending.trader, ending.incarnation, 0, what, ending.how, ending.stack)
        self._reports.flush()

    def _files(self) -> Iterable[Path]:
        """Traders, what they may import beside them, and the settings."""
        yield from (path.resolve() for path in self._folder.glob("*.py"))
        yield from self._config.glob("*.toml")

    def _follow_files(self, now_ns: int) -> None:
        changed = self._changes.look(now_ns)
        if not changed:
            return
        if any(path.suffix == ".toml" for path in changed):
            try:
                self._tables = load().traders
            except TickflagError as error:
                self._log.warning("changed settings refused", reason=str(error))
        self._fleet.follow(read_catalog(self._folder, self._tables), changed)

    def _report(self) -> None:
        roster = Roster(
            pid=os.getpid(),
            time_ms=time.time_ns() // MS,
            traders=self._fleet.roster(),
            complete=self._fleet.complete and not self._safe,
        )
        try_send(self._results, encode(roster))

    def _wait_ns(self, now_ns: int) -> int:
        return max(0, min([self._look_due_ns, *self._fleet.due_ns()]) - now_ns)

    def _wait(self, descriptors: Iterable[int], wait_ns: int) -> None:
        """Until a child ends or says something, a request comes, a descriptor is readable or the time is over."""
        poller = zmq.Poller()
        poller.register(self._commands.socket, zmq.POLLIN)
        poller.register(self._control, zmq.POLLIN)
        for descriptor in (*descriptors, *self._fleet.descriptors()):
            poller.register(descriptor, zmq.POLLIN)
        poller.poll(-(-wait_ns // MS))

    def _stop_all(self) -> None:
        """Ask every worker, wait for all together, end those that do not listen."""
        deadline_ns = time.monotonic_ns() + STOP_GRACE_NS
        self._fleet.stop_all()
        while self._fleet.alive and time.monotonic_ns() < deadline_ns:
            self._commands.step()
            self._wait((), 50 * MS)
            self._fleet.turn(time.monotonic_ns())
        self._fleet.kill()
        self._report()
        self._log.info("traders stopped", traders=len(self._fleet))
