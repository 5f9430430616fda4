"""ManagedTrader: one trader as the supervisor runs it: starts it, watches it, restarts it, replaces its version."""

import time

from tickflag.common.log import Logger
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire.messages import RosterEntry
from tickflag.services.trader.backoff import Backoff
from tickflag.services.trader.evaluation.plugin.catalog import Assignment
from tickflag.services.trader.supervisor.recovery_orders import RecoveryOrders
from tickflag.services.trader.supervisor.trader_state import OFF, TraderState
from tickflag.services.trader.supervisor.trader_workers import TraderWorkers, WorkerExit
from tickflag.services.trader.supervisor.worker_handle import WorkerHandle
from tickflag.services.trader.supervisor.worker_pool import why_not_started

HEALTHY_NS = 60_000 * NS_PER_MS  # after a worker that ran so long the backoff starts over
WARN_AGAIN_NS = 60_000 * NS_PER_MS
PATIENCE_NS = 2_000 * NS_PER_MS  # a worker that was asked to end or to hand over has so long, then it is killed


class ManagedTrader:
    """Call `step` whenever a descriptor is readable or `due_ns` has come. One thread.

    A new version of the code or the settings loads beside the running one, in a worker of its own. When it has loaded,
    the old worker leaves its match set and ends, and the new worker goes on from there. A version that does not load is
    refused, and the old one runs on undisturbed.
    """

    def __init__(
        self, assignment: Assignment, name: str, settings: Settings, workers: TraderWorkers, log: Logger
    ) -> None:
        """`name` is the name that the trader declared last; empty where it is unknown."""
        self.assignment = assignment
        self.state = TraderState.STOPPED
        self.name = assignment.name or name
        self.version = self._settings_digest = ""
        self.owns_name = False
        """The trader's name was granted, and no other trader has it."""
        self.tried = False
        """The first worker was granted its name, was refused, or ended."""
        self.refused_name = ""
        """The name that was refused because another trader has it."""
        self.due_ns = 0
        """Monotonic time of the next restart, or of the end of PATIENCE_NS; 0 where nothing is due."""
        self._log = log
        self.workers = workers
        self._restarts = 0
        self._reason = ""
        self._excess = self._absent = ""
        self._warn_from_ns = 0
        self._recovery = RecoveryOrders()
        self._exits: list[WorkerExit] = []
        trader = settings.trader
        self._backoff = Backoff(int(trader.restart_ms * NS_PER_MS), int(trader.restart_limit_ms * NS_PER_MS))

    @property
    def alive(self) -> bool:
        """Whether the trader has a worker."""
        return self.workers.current is not None

    @property
    def wanted(self) -> bool:
        """Whether the trader is meant to run."""
        return self.state not in OFF

    @property
    def busy(self) -> bool:
        """Whether something that was asked for has not come about yet."""
        if self.state is TraderState.RUNNING:
            newest = self.workers.newest
            return newest is None or not newest.running or self.workers.successor is not None
        return self.alive

    def roster_entry(self, name: str) -> RosterEntry:
        """The trader's line of the roster, with the name `name`."""
        current = self.workers.current
        return RosterEntry(
            name=name,
            state=self.state.value,
            pid=current.pid if current is not None else 0,
            restarts=self._restarts,
            source=self.assignment.shown_source,
            reason="; ".join(filter(None, (self._reason, self._excess, self._absent)))[:4096],
            trader_version=self.version,
            log=self.workers.log_path(self.assignment).stem,
            settings=self._settings_digest,
        )

    def drain_exits(self) -> list[WorkerExit]:
        """The workers that ended by themselves since the last call."""
        exits, self._exits = self._exits, []
        return exits

    # Requests of operators, files and recovery.

    def start(self, now_ns: int) -> None:
        """Start a worker, unless there is one."""
        if self.wanted and self.alive:
            return
        self.refused_name = ""
        self._start_afresh(now_ns)

    def stop(self, state: TraderState, reason: str) -> None:
        """Ask the worker to end, and start none. `state` is the state of the stopped trader."""
        self.workers.close_successor()
        self.workers.switching = False
        self.state, self._reason = state, reason
        self.due_ns = time.monotonic_ns() + PATIENCE_NS if self.alive else 0
        if self.workers.current is not None:
            self.workers.current.stop()
        if reason:
            self._log.info("trader stopped", trader=self.name or self.assignment.label, reason=reason)

    def kill(self) -> None:
        """End the workers now."""
        self._close_workers()
        if self.state is not TraderState.SKIPPED and self.wanted:
            self.state = TraderState.STOPPED

    def reload(self, assignment: Assignment, now_ns: int) -> None:
        """Load the code and settings of `assignment`. This ends a quarantine, as the fault may be mended."""
        if self.workers.switching:
            self._promote()
        self.assignment = assignment
        if self.state is TraderState.QUARANTINED:
            self._recovery.waive_quarantine()
            self.start(now_ns)
            return
        if not self.wanted:
            return
        current = self.workers.current
        if assignment.fault or current is None or not current.running:
            self._start_afresh(now_ns)
            return
        self.workers.close_successor()
        try:
            self.workers.launch_successor(assignment)
        except (EOFError, OSError) as error:
            self._refuse_successor(why_not_started(error))

    def follow_recovery(self, opening: int, fresh_starts: int, known: int | None, now_ns: int) -> bool:
        """Do what the control state says of this trader (see RecoveryOrders); True where that changed something.
        `known` is the incarnation that the collector knows, where it ignores the trader's messages."""
        order = self._recovery.next_order(self.state, opening, fresh_starts)
        if order == "nothing" and known is not None and self.workers.go_above(known):
            self._log.warning("worker was ignored", trader=self.name, known_incarnation=known, do="it starts anew")
            order = "fresh start"
        if order == "quarantine":
            self.stop(TraderState.QUARANTINED, f"it failed too often: `tickflag circuits {self.name}`")
        elif order == "return":
            self.start(now_ns)
        elif order == "fresh start":
            self._start_afresh(now_ns)
        return order != "nothing"

    def grant_name(self) -> None:
        """Let the loaded worker run under the name that the worker requests."""
        self.tried = True
        self.refused_name = ""
        if self.workers.successor is None:
            self._run_current(inherits=False)
            return
        self.workers.make_room()
        self.due_ns = time.monotonic_ns() + PATIENCE_NS

    def refuse_name(self, reason: str, name: str) -> None:
        """Refuse the name that the trader requests or has, as it is another trader's."""
        self.refused_name = name
        if self.workers.successor is not None:
            self._refuse_successor(reason)
        else:
            self._skip(reason)

    # The workers.

    def step(self, now_ns: int) -> bool:
        """Follow up what the workers did, and do what is due; True where something changed."""
        changed = False
        for worker in self.workers.all:
            changed |= worker.read_messages()
        successor, current = self.workers.successor, self.workers.current
        if successor is not None and (successor.refusal or successor.exit_status is not None):
            self._refuse_successor(successor.refusal or successor.exit_reason)
            changed = True
        if current is not None and current.refusal:
            self._skip(current.refusal)
            changed = True
        elif current is not None and current.exit_status is not None:
            self._on_exit(current, now_ns)
            changed = True
        if self.due_ns and now_ns >= self.due_ns:
            self.due_ns = 0
            if self.workers.switching:
                self._promote()
            elif self.wanted:
                self._launch(now_ns)
            else:
                self._close_workers()
            changed = True
        return self._follow_remarks(now_ns) or changed

    def _follow_remarks(self, now_ns: int) -> bool:
        """Put the limits that the worker exceeds, and the symbols that it names and the market has not, on the roster
        and into the log: excesses once a minute at most."""
        worker = self.workers.current
        before = self._excess, self._absent
        self._excess, self._absent = ("", "") if worker is None else (worker.excess, worker.absent)
        if self._excess not in ("", before[0]) and now_ns >= self._warn_from_ns:
            self._warn_from_ns = now_ns + WARN_AGAIN_NS
            self._log.warning("trader exceeds its share", trader=self.name, reason=self._excess)
        if self._absent not in ("", before[1]):
            self._log.warning("trader names symbols that are not there", trader=self.name, reason=self._absent)
        return (self._excess, self._absent) != before

    def _start_afresh(self, now_ns: int) -> None:
        """Start a worker without a handover, and with the backoff reset."""
        self._close_workers()
        self._backoff.succeeded()
        self._launch(now_ns)

    def _launch(self, now_ns: int) -> None:
        if self.assignment.fault:
            self._skip(self.assignment.fault)
            return
        self.state = TraderState.RUNNING
        try:
            self.workers.launch(self.assignment)
        except (EOFError, OSError) as error:
            self._restart_later(why_not_started(error), now_ns, ran=False)

    def _run_current(self, inherits: bool) -> None:
        current = self.workers.current
        assert current is not None
        self.name, self.version, self.owns_name = current.name, current.version, True
        self._settings_digest = self.assignment.settings_digest
        self.due_ns = 0
        self._reason = ""
        self.workers.run_current(inherits)
        self._log.info(
            "trader runs", trader=self.name, file=self.assignment.stem, version=self.version, restarts=self._restarts
        )

    def _promote(self) -> None:
        """Let the successor run: the old worker has made room, or had its time to do so."""
        self._run_current(self.workers.promote())

    def _on_exit(self, worker: WorkerHandle, now_ns: int) -> None:
        """Follow up the end of the current worker."""
        if self.workers.switching:
            self._promote()
            return
        reason, blameless = worker.exit_reason, worker.bystander or now_ns - worker.started_ns > HEALTHY_NS
        if self.wanted and self.name and not worker.bystander:  # a trader of unknown name has no circuits
            self._exits.append(self.workers.current_exit(self.name))
        # A successor that is still loading becomes the current worker: the edit may mend what ended the old one.
        self.workers.close_current()
        if not self.wanted:
            self.due_ns = 0
        elif not self.alive:
            if blameless:
                self._backoff.succeeded()
            self._restart_later(reason, now_ns)
        else:
            self._log.warning("trader ended", trader=self.name, reason=reason)

    def _restart_later(self, reason: str, now_ns: int, ran: bool = True) -> None:
        """Start a worker when the backoff is over. With `ran` off there was none; the log says that once."""
        self.tried = True
        wait_ns = self._backoff.failed()
        self.due_ns = now_ns + wait_ns
        self._restarts += ran
        told, self._reason = not ran and reason == self._reason, reason
        self.state = TraderState.RESTARTING
        if not told:
            what, name = "trader ended" if ran else "trader not started", self.name or self.assignment.label
            self._log.warning(what, trader=name, reason=reason, again_in_s=round(wait_ns / NS_PER_S, 3))

    def _skip(self, reason: str) -> None:
        """End the workers, and do not run the trader as it is now."""
        self._close_workers()
        self.tried, self.owns_name = True, False
        self.state = TraderState.SKIPPED
        self._reason = reason
        self._log.warning("trader skipped", file=self.assignment.label, reason=reason)

    def _refuse_successor(self, reason: str) -> None:
        self.workers.close_successor()
        if self.workers.switching:  # the old worker, which was asked to make room, ends and is started again
            self.workers.switching = False
            self.due_ns = 0
        self._reason = f"new version refused: {reason}"
        self._log.warning("new version refused", trader=self.name, reason=reason)

    def _close_workers(self) -> None:
        """End all workers now, and forget what was due."""
        self.workers.close()
        self.due_ns = 0
