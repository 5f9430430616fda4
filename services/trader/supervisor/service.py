"""Supervisor: the trader service. It keeps a worker for each trader, and reports all traders to the collector.

Workers come from a fork server (`forkserver.py`), so they start in milliseconds. A plugin that raises, loops, leaks,
crashes or calls `os._exit` ends or hangs its own worker only; the supervisor starts that worker again with backoff. An
added, changed or removed file concerns its own traders only.
"""

import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import zmq

from tickflag.common.errors import MessageError, TickflagError, shortage_of
from tickflag.common.lifecycle import Stop
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings, config_folder, load
from tickflag.common.settings_schema.trader import TraderTable
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.connection_guard import ConnectionGuard
from tickflag.common.wire.messages import Control, FaultKind, Roster
from tickflag.common.wire.sockets import (
    CONTROL_IN,
    RESULTS_OUT,
    TRADER_COMMANDS_SERVER,
    Context,
    open_socket,
    receive,
    try_send,
)
from tickflag.services.trader.evaluation.plugin.catalog import read_catalog
from tickflag.services.trader.supervisor.change_hints import ChangeHints
from tickflag.services.trader.supervisor.commands import SupervisorCommands
from tickflag.services.trader.supervisor.file_changes import RECHECK_NS, FileChanges
from tickflag.services.trader.supervisor.fleet import Fleet
from tickflag.services.trader.supervisor.saved_traders import FILE, SavedTraders
from tickflag.services.trader.worker.reports import Reports

CHECK_NS = 500 * NS_PER_MS  # between checks of limits and files, and between rosters
QUIET_NS = 60_000 * NS_PER_MS  # between two lines about a shortage
_FORK_SERVER_SOCKET = "/pymp-xxxxxxxx/listener-xxxxxxxx"
STOP_GRACE_NS = 2_000 * NS_PER_MS


class Supervisor:
    """Create it while holding the role `trader`. One thread."""

    def __init__(self, settings: Settings, runtime: Runtime, context: Context, log: Logger) -> None:
        self._log, self._safe = log, settings.trader.safe
        runtime.logs.mkdir(mode=0o700, exist_ok=True)
        self._folder = settings.trader.plugins
        tempfile.tempdir = runtime.temporary_folder(_FORK_SERVER_SOCKET)
        spawner = multiprocessing.get_context("forkserver")
        spawner.set_forkserver_preload(["tickflag.services.trader.supervisor.forkserver"])
        state = settings.state_folder()
        with contextlib.suppress(OSError):  # a command that cannot save its decision tells its operator so
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        saved = SavedTraders(state / FILE)
        if saved.fault:
            log.warning("saved traders are damaged", fault=saved.fault, do="disable again what must not run")
        self._fleet = Fleet(settings, runtime, spawner, saved, log)
        self._tables: Mapping[str, TraderTable] = settings.traders
        self._config = config_folder()
        reload = settings.trader.reload and not self._safe
        self._changes = FileChanges(self._files if reload else list)
        self._hints = ChangeHints((self._folder, self._config) if reload else ())
        self._results = open_socket(context, runtime, RESULTS_OUT)
        self._control = open_socket(context, runtime, CONTROL_IN)
        self._reports = Reports(lambda frame: try_send(self._results, frame))
        self._commands = SupervisorCommands(context, runtime, self._fleet, self._safe)
        self._guard = ConnectionGuard(context, {TRADER_COMMANDS_SERVER.endpoint: self._commands.socket}, log)
        self._check_due_ns = self._quiet_until_ns = 0
        self._changed: set[Path] = set()
        """Files that changed, and which the traders do not follow yet."""

    def run(self, stop: Stop) -> None:
        """Start the workers and keep them running until a stop is requested; then end them."""
        if self._safe:
            self._log.warning("safe mode", do="no trader is loaded; start without `--safe` to load them")
        else:
            self._fleet.follow_catalog(read_catalog(self._folder, self._tables), stopping=lambda: stop.requested)
            if not len(self._fleet):
                folder = str(self._folder.resolve())
                self._log.warning("no traders", folder=folder, do="put a trader file there; see docs")
        while not stop.requested:
            self._step(time.monotonic_ns())
            self._wait([stop.fileno(), self._hints.fileno()], self._wait_ns(time.monotonic_ns()))
        self._stop_all()

    def close(self) -> None:
        """End the workers, release sockets and threads. Call it after `run`, however that ended."""
        self._fleet.kill()
        self._guard.close()
        self._commands.close()
        self._hints.close()
        self._results.close()
        self._control.close()

    def _step(self, now_ns: int) -> None:
        changed = bool(self._commands.step())
        frame = receive(self._control)
        if frame is not None:
            with contextlib.suppress(MessageError):
                changed |= self._fleet.follow_control(decode_as(Control, frame))
        if self._hints.received() or now_ns >= self._check_due_ns:
            try:
                self._fleet.enforce_limits(now_ns)
                self._follow_files(now_ns)
            except OSError as error:
                self._tell(error, now_ns)
            self._check_due_ns = now_ns + (RECHECK_NS if self._changes.moving else CHECK_NS)
            changed = True
        if self._fleet.step(now_ns) or changed:
            self._send_roster()
        for ended in self._fleet.drain_exits():
            what: FaultKind = "deadline" if ended.overran else "exit"
            self._reports.fault(ended.trader, ended.incarnation, 0, what, ended.reason, ended.last_output)
        self._reports.flush()

    def _files(self) -> Iterable[Path]:
        """The traders, the files beside them that they may import, and the settings."""
        yield from (path.resolve() for path in self._folder.glob("*.py"))
        yield from self._config.glob("*.toml")

    def _follow_files(self, now_ns: int) -> None:
        self._changed |= self._changes.completed(now_ns)
        if not self._changed:
            return
        if any(path.suffix == ".toml" for path in self._changed):
            try:
                self._tables = load().traders
            except TickflagError as error:
                self._log.warning("changed settings refused", reason=str(error))
        self._fleet.follow_catalog(read_catalog(self._folder, self._tables), self._changed)
        self._changed = set()

    def _tell(self, error: OSError, now_ns: int) -> None:
        """Say, once a minute, that limits and files were not looked at; the next check tries again."""
        if now_ns >= self._quiet_until_ns:
            self._quiet_until_ns = now_ns + QUIET_NS
            self._log.warning("traders are not watched", reason=shortage_of(error) or str(error))

    def _send_roster(self) -> None:
        roster = Roster(
            pid=os.getpid(),
            time_ms=time.time_ns() // NS_PER_MS,
            traders=self._fleet.roster(),
            complete=self._fleet.complete and not self._safe,
        )
        try_send(self._results, encode(roster))

    def _wait_ns(self, now_ns: int) -> int:
        return max(0, min([self._check_due_ns, *self._fleet.due_ns()]) - now_ns)

    def _wait(self, descriptors: Iterable[int], wait_ns: int) -> None:
        """Wait until a worker ends or sends something, a request comes, a descriptor is readable or the time is
        over."""
        poller = zmq.Poller()
        poller.register(self._commands.socket, zmq.POLLIN)
        poller.register(self._control, zmq.POLLIN)
        for descriptor in (*descriptors, *self._fleet.descriptors()):
            poller.register(descriptor, zmq.POLLIN)
        poller.poll(-(-wait_ns // NS_PER_MS))

    def _stop_all(self) -> None:
        """Ask every worker to end, wait for all of them together, then kill those that still live."""
        deadline_ns = time.monotonic_ns() + STOP_GRACE_NS
        self._fleet.stop_all()
        while self._fleet.alive and time.monotonic_ns() < deadline_ns:
            self._commands.step()
            self._wait((), 50 * NS_PER_MS)
            self._fleet.step(time.monotonic_ns())
        self._fleet.kill()
        self._send_roster()
        self._log.info("traders stopped", traders=len(self._fleet))
