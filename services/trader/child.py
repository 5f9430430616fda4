"""Child: one trader as the supervisor sees it: the worker that runs it, and the one that is to take over."""

import time
from pathlib import Path

from common.log import Logger
from common.messages import RosterEntry
from common.runtime import Runtime
from common.settings import Settings
from services.trader.catalog import Assignment
from services.trader.order import Order
from services.trader.pace import Backoff
from services.trader.process import Hosts, Place
from services.trader.standing import OFF, Ending, Standing, State

MS = 1_000_000
HEALTHY_NS = 60_000 * MS  # a worker that ran so long starts its backoff over
WARN_AGAIN_NS = 60_000 * MS
PATIENCE_NS = 2_000 * MS  # for a worker that was asked to end or to hand over; then it is killed


class Child:
    """Starts, watches, restarts and replaces workers. `turn` whenever a descriptor is readable or `due_ns` has come.

    Another version of the code or the settings is loaded beside the running one, in a process of its own. When it has
    loaded, the old one leaves its match set and ends, and the new one goes on from there. One that does not load is
    refused, and the old one never notices.
    """

    def __init__(
        self,
        assignment: Assignment,
        name: str,
        settings: Settings,
        runtime: Runtime,
        hosts: Hosts,
        log: Logger,
    ) -> None:
        """`name` is what it was called last, empty where nobody knows."""
        self.assignment = assignment
        self.state = State.STOPPED
        self.name = assignment.name or name
        self.version = ""
        self.granted = False
        """The name is its own."""
        self.tried = False
        """Its first worker was granted its name, was refused, or ended."""
        self.rival = ""
        """The name that it was refused because another has it."""
        self.due_ns = 0
        """Monotonic time of the next restart, or at which patience ends; 0 where none is due."""
        self._settings, self._hosts, self._log = settings, hosts, log
        self._logs = runtime.logs
        self._current: Place | None = None
        self._successor: Place | None = None
        self._yields = False  # the current worker was asked to make room
        self._restarts = 0
        self._reason = ""
        self._remark = ""
        self._warn_from_ns = 0
        self._incarnation = 0
        self._standing = Standing()
        self._endings: list[Ending] = []
        trader = settings.trader
        self._backoff = Backoff(int(trader.restart_ms * MS), int(trader.restart_limit_ms * MS))

    @property
    def _log_path(self) -> Path:
        """Where its process writes: one file for a group."""
        group = self.assignment.group
        return self._logs / f"{f'group-{group}' if group else self.assignment.name or self.assignment.stem}.log"

    @property
    def alive(self) -> bool:
        return self._current is not None

    @property
    def on(self) -> bool:
        """It is meant to run."""
        return self.state not in OFF

    @property
    def busy(self) -> bool:
        """What was asked for has not come about yet."""
        if self.state is State.RUNNING:
            return self._newest is None or not self._newest.going or self._successor is not None
        return self.alive

    @property
    def asks(self) -> str:
        """The name for which a loaded worker waits; empty where none does."""
        newest = self._newest
        return newest.name if newest is not None and newest.ready and not newest.going and not self._yields else ""

    @property
    def helpers(self) -> frozenset[Path]:
        """Files of the plugin folder that its workers imported."""
        return frozenset().union(*(worker.helpers for worker in self._workers))

    @property
    def _newest(self) -> Place | None:
        return self._successor or self._current

    @property
    def _workers(self) -> list[Place]:
        return [worker for worker in (self._current, self._successor) if worker is not None]

    # What it is told.

    def start(self, now_ns: int) -> None:
        """Fork a worker, unless one runs."""
        if self.on and self.alive:
            return
        self.rival = ""
        self._anew(now_ns)

    def obey(self, opening: int, fresh: int, now_ns: int) -> bool:
        """Do what recovery wants, as the control state has it; True where that changed something."""
        match self._standing.wish(self.state, opening, fresh):
            case "quarantine":
                self.stop(State.QUARANTINED, f"it failed too often: `tickflag circuits {self.name}`")
            case "return":
                self.start(now_ns)
            case "fresh start":
                self._anew(now_ns)
            case "nothing":
                return False
        return True

    def take_endings(self) -> list[Ending]:
        """How its workers ended by themselves since the last call."""
        endings, self._endings = self._endings, []
        return endings

    def renew(self, assignment: Assignment, now_ns: int) -> None:
        """Load it anew, with whatever code and settings it has now. That ends a quarantine: it may be mended."""
        self.assignment = assignment
        if self._yields:
            self._promote()
        if self.state is State.QUARANTINED:
            self._standing.pardon()
            self.start(now_ns)
            return
        if not self.on:
            return
        if assignment.fault or self._current is None or not self._current.going:
            self._anew(now_ns)
            return
        self._dismiss()
        try:
            self._successor = self._spawn()
        except (EOFError, OSError):
            self._refuse_successor("no process could be started")

    def stop(self, state: State, reason: str) -> None:
        """End its worker and stay so."""
        self._dismiss()
        self._yields = False
        self.state, self._reason = state, reason
        self.due_ns = time.monotonic_ns() + PATIENCE_NS if self.alive else 0
        if self._current is not None:
            self._current.stop()
        if reason:
            self._log.info("trader stopped", trader=self.name or self.assignment.label, reason=reason)

    def grant(self) -> None:
        """Let the loaded worker run under the name it asks for."""
        assert self._current is not None
        self.tried = True
        self.rival = ""
        if self._successor is None:
            self._go(self._current, inherits=False)
            return
        self._yields = True
        self.due_ns = time.monotonic_ns() + PATIENCE_NS
        self._current.order.legacy_path.unlink(missing_ok=True)  # what nobody took in is too old
        if self._successor.name == self.name:
            self._current.replace()
        else:
            self._current.stop()

    def refuse(self, reason: str, rival: str) -> None:
        """The name it asks for, or has, is another's."""
        self.rival = rival
        if self._successor is not None:
            self._refuse_successor(reason)
        else:
            self._skip(reason)

    def kill(self) -> None:
        """End its workers now."""
        self._drop()
        if self.state is not State.SKIPPED and self.on:
            self.state = State.STOPPED

    # What it tells.

    def descriptors(self) -> list[int]:
        """Readable when a worker ended or said something."""
        return [descriptor for worker in self._workers for descriptor in worker.descriptors()]

    def entry(self, name: str) -> RosterEntry:
        """The roster's line, under the name `name`."""
        return RosterEntry(
            name=name,
            state=self.state.value,
            pid=self._current.pid if self._current is not None else 0,
            restarts=self._restarts,
            source=self.assignment.shown_source,
            reason="; ".join(filter(None, (self._reason, self._remark)))[:4096],
            trader_version=self.version,
            log=self._log_path.stem,
        )

    # What happens to it.

    def turn(self, now_ns: int) -> bool:
        """Take in what happened and do what is due; True where something changed."""
        changed = False
        for worker in self._workers:
            changed |= worker.listen()
        successor, current = self._successor, self._current
        if successor is not None and (successor.refusal or successor.exit_status is not None):
            self._refuse_successor(successor.refusal or successor.ending)
            changed = True
        if current is not None and current.refusal:
            self._skip(current.refusal)
            changed = True
        elif current is not None and current.exit_status is not None:
            self._ended(current, now_ns)
            changed = True
        if self.due_ns and now_ns >= self.due_ns:
            self.due_ns = 0
            if self._yields:
                self._promote()
            elif self.on:
                self._begin(now_ns)
            else:
                self._drop()
            changed = True
        return self._note_remark(now_ns) or changed

    def _note_remark(self, now_ns: int) -> bool:
        """What the worker does that it should not is on the roster, and in the log once a minute at most."""
        remark = self._current.remark if self._current is not None else ""
        if remark == self._remark:
            return False
        self._remark = remark
        if remark and now_ns >= self._warn_from_ns:
            self._warn_from_ns = now_ns + WARN_AGAIN_NS
            self._log.warning("trader exceeds its share", trader=self.name, reason=remark)
        return True

    def _anew(self, now_ns: int) -> None:
        """Without what its workers had, and as if none had ever ended."""
        self._drop()
        self._backoff.succeeded()
        self._begin(now_ns)

    def _begin(self, now_ns: int) -> None:
        if self.assignment.fault:
            self._skip(self.assignment.fault)
            return
        self.state = State.RUNNING
        try:
            self._current = self._spawn()
        except (EOFError, OSError):  # by the signal that is to end us too, or for want of memory
            self._again("the fork server ended before the worker was there", now_ns)

    def _spawn(self) -> Place:
        assignment = self.assignment
        assert assignment.source is not None
        legacy = self._logs / f"{assignment.name or assignment.stem}.handover"
        order = Order(assignment.source, assignment.name, assignment.settings, legacy)
        return self._hosts.place(order, assignment.group, self._log_path)

    def _go(self, worker: Place, inherits: bool) -> None:
        self.name, self.version, self.granted = worker.name, worker.version, True
        self.due_ns = 0
        self._reason = ""
        # Grows with every start, over restarts of the supervisor too, unless the clock is set back that far.
        self._incarnation = max(self._incarnation + 1, time.time_ns() // MS)
        worker.go(self._incarnation, inherits)
        self._log.info(
            "trader runs", trader=self.name, file=self.assignment.stem, version=self.version, restarts=self._restarts
        )

    def _promote(self) -> None:
        """The old worker has made room, or had its time to."""
        assert self._current is not None
        assert self._successor is not None
        inherits = self._successor.name == self.name
        self._current.close()
        self._current, self._successor, self._yields = self._successor, None, False
        self._go(self._current, inherits)

    def _ended(self, worker: Place, now_ns: int) -> None:
        if self._yields:
            self._promote()
            return
        how, blameless = worker.ending, worker.innocent or now_ns - worker.started_ns > HEALTHY_NS
        if self.on and self.name and not worker.innocent:  # one that never told its name has no circuits
            self._endings.append(Ending(self.name, self._incarnation, worker.hung, how, worker.stack))
        worker.close()
        # One that is still loading takes its place; what the old one died of may be what the edit mends.
        self._current, self._successor = self._successor, None
        if not self.on:
            self.due_ns = 0
        elif self._current is None:
            if blameless:
                self._backoff.succeeded()
            self._again(how, now_ns)
        else:
            self._log.warning("trader ended", trader=self.name, reason=how)

    def _again(self, reason: str, now_ns: int) -> None:
        """Start anew after a while."""
        self.tried = True
        wait_ns = self._backoff.failed()
        self.due_ns = now_ns + wait_ns
        self._restarts += 1
        self.state = State.RESTARTING
        self._reason = reason
        name = self.name or self.assignment.label
        self._log.warning("trader ended", trader=name, reason=reason, again_in_s=round(wait_ns / 1e9, 3))

    def _skip(self, reason: str) -> None:
        """It must not run as it is."""
        self._drop()
        self.tried, self.granted = True, False
        self.state = State.SKIPPED
        self._reason = reason
        self._log.warning("trader skipped", file=self.assignment.label, reason=reason)

    def _refuse_successor(self, reason: str) -> None:
        self._dismiss()
        if self._yields:  # it died when all was ready: the old one ends all the same, and is started again
            self._yields = False
            self.due_ns = 0
        self._reason = f"new version refused: {reason}"
        self._log.warning("new version refused", trader=self.name, reason=reason)

    def _dismiss(self) -> None:
        """End the worker that was to take over."""
        if self._successor is not None:
            self._successor.close()
            self._successor = None

    def _drop(self) -> None:
        """End all workers now, and forget what was due."""
        self._dismiss()
        if self._current is not None:
            self._current.close()
            self._current = None
        self._yields = False
        self.due_ns = 0
