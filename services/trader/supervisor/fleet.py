"""Fleet: all traders of the supervisor. It follows catalog, operators and recovery, and keeps names unique."""

import time
from collections.abc import Callable, Iterable
from multiprocessing.context import ForkServerContext
from pathlib import Path

from tickflag.common.clock import Clock, SystemClock
from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.messages import Control, RosterEntry
from tickflag.services.trader.evaluation.plugin.catalog import Assignment
from tickflag.services.trader.incarnations import Incarnations
from tickflag.services.trader.supervisor.managed_trader import ManagedTrader
from tickflag.services.trader.supervisor.saved_traders import SavedTraders
from tickflag.services.trader.supervisor.trader_state import TraderState
from tickflag.services.trader.supervisor.trader_workers import TraderWorkers, WorkerExit
from tickflag.services.trader.supervisor.worker_pool import WorkerPool

BY_SETTINGS = "`enabled` is false"
BY_OPERATOR = "by an operator"


class Fleet:
    """Keeps one ManagedTrader for each assignment, in the order of arrival. One thread."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        spawner: ForkServerContext,
        saved: SavedTraders,
        log: Logger,
        clock: Clock | None = None,
    ) -> None:
        self._settings, self._runtime, self._saved, self._log = settings, runtime, saved, log
        self._pool = WorkerPool(settings, spawner)
        self._incarnations = Incarnations(saved, clock or SystemClock())
        self._traders: dict[str, ManagedTrader] = {}
        """Label of the assignment -> its trader."""
        self._leaving: list[ManagedTrader] = []
        """Removed traders whose workers still live; they are not on the roster."""

    def __len__(self) -> int:
        return len(self._traders)

    @property
    def _all(self) -> list[ManagedTrader]:
        return [*self._traders.values(), *self._leaving]

    # The catalog.

    def follow_catalog(
        self,
        catalog: Iterable[Assignment],
        changed: Iterable[Path] = (),
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Start new traders; reload those whose assignment changed or who use a file of `changed`; end those that are
        gone from the catalog.

        Once `stopping` gives True, no new trader is started: a start may have to wait until a fork server has loaded,
        and the service must end soon.
        """
        now_ns = time.monotonic_ns()
        files = frozenset(changed)
        wanted = {assignment.label: assignment for assignment in catalog}
        for label in self._traders.keys() - wanted.keys():
            self._remove(label)
        for label, assignment in wanted.items():
            trader = self._traders.get(label)
            if trader is None:
                self._traders[label] = trader = self._new(assignment)  # on the roster even if it is not started
                if not stopping():
                    self._switch(trader, now_ns)
            elif assignment != trader.assignment or assignment.source in files or trader.workers.helpers & files:
                trader.reload(assignment, now_ns)
                self._switch(trader, now_ns)

    def _new(self, assignment: Assignment) -> ManagedTrader:
        name = self._saved.names.get(assignment.label, "")
        workers = TraderWorkers(self._pool, self._runtime.logs, self._incarnations)
        return ManagedTrader(assignment, name, self._settings, workers, self._log)

    def _switch(self, trader: ManagedTrader, now_ns: int) -> None:
        """Start or disable the trader, as operators and settings want. A trader that an operator stopped stays
        stopped."""
        switched = self._saved.switches.get(trader.assignment.label)
        if trader.assignment.enabled if switched is None else switched:
            if trader.state is TraderState.DISABLED or not (trader.tried or trader.alive):
                trader.start(now_ns)
        elif trader.state is not TraderState.DISABLED:
            trader.stop(TraderState.DISABLED, BY_SETTINGS if switched is None else BY_OPERATOR)

    def _remove(self, label: str) -> None:
        trader = self._traders.pop(label)
        self._saved.forget_name(label)
        trader.stop(TraderState.STOPPED, "it was removed")
        self._leaving.append(trader)

    # Recovery.

    def follow_control(self, control: Control) -> bool:
        """Carry out the quarantines and fresh starts of the control state, and start those workers anew that the
        collector ignores; True where something changed."""
        now_ns = time.monotonic_ns()
        quarantined, fresh, known = control.quarantined, control.fresh, control.incarnations
        changed = [
            trader.follow_recovery(
                quarantined.get(trader.name, 0), fresh.get(trader.name, 0), known.get(trader.name), now_ns
            )
            for trader in self._traders.values()
            if trader.owns_name
        ]
        return any(changed)

    def drain_exits(self) -> list[WorkerExit]:
        """The workers that ended by themselves since the last call."""
        return [one for trader in self._traders.values() for one in trader.drain_exits()]

    # Commands of operators.

    def start(self, trader: ManagedTrader) -> None:
        """Run the trader. Raises TickflagError where it is disabled or quarantined."""
        _check_enabled(trader)
        _check_not_quarantined(trader)
        trader.start(time.monotonic_ns())

    def stop(self, trader: ManagedTrader) -> None:
        """Stop the trader until an operator starts it or the service starts again. Raises TickflagError where it is
        disabled."""
        _check_enabled(trader)
        trader.stop(TraderState.STOPPED, BY_OPERATOR)

    def restart(self, trader: ManagedTrader) -> None:
        """Load the trader's code anew. Raises TickflagError where the trader is disabled or quarantined."""
        _check_enabled(trader)
        _check_not_quarantined(trader)
        if trader.state is TraderState.STOPPED:
            trader.start(time.monotonic_ns())
        else:
            trader.reload(trader.assignment, time.monotonic_ns())

    def enable(self, trader: ManagedTrader) -> None:
        """Run the trader, now and after every start of the service. Raises TickflagError where it is quarantined."""
        _check_not_quarantined(trader)
        trader.start(time.monotonic_ns())
        self._saved.save_switch(trader.assignment.label, True)

    def disable(self, trader: ManagedTrader) -> None:
        """Do not run the trader until it is enabled; its matches leave."""
        trader.stop(TraderState.DISABLED, BY_OPERATOR)
        self._saved.save_switch(trader.assignment.label, False)

    # The workers.

    def step(self, now_ns: int) -> bool:
        """Follow up what the workers did, and do what is due; True where something changed."""
        changed = False
        for trader in self._all:
            changed |= trader.step(now_ns)
        self._leaving = [trader for trader in self._leaving if trader.alive]
        changed |= self._grant_names()
        if changed:
            self._retry_refused(now_ns)
        return changed

    def enforce_limits(self, now_ns: int) -> None:
        """End the worker processes that exceed a limit."""
        self._pool.enforce_limits(now_ns)

    def descriptors(self) -> list[int]:
        """Readable when a worker ended, wrote something or sent a message."""
        return [descriptor for trader in self._all for descriptor in trader.workers.descriptors()]

    def due_ns(self) -> list[int]:
        """Monotonic times at which `step` has something to do."""
        return [trader.due_ns for trader in self._all if trader.due_ns]

    def stop_all(self) -> None:
        """Ask every worker to end."""
        for trader in self._all:
            if trader.alive:
                trader.stop(TraderState.STOPPED, "")

    @property
    def alive(self) -> bool:
        """Whether a worker lives."""
        return any(trader.alive for trader in self._all)

    def kill(self) -> None:
        """End every worker now."""
        for trader in self._all:
            trader.kill()

    def _grant_names(self) -> bool:
        """Let loaded workers run under the names they request; True where a name was granted.

        Of two traders that request one name at their first start, the first in order gets it. Later no trader takes
        another's name.
        """
        granted = False
        traders = list(self._traders.values())
        for number, trader in enumerate(traders):
            name = trader.workers.requested_name
            if not name:
                continue
            owner = next((one for one in traders if one is not trader and one.owns_name and one.name == name), None)
            if owner is not None:
                if traders.index(owner) < number or trader.tried:
                    trader.refuse_name(_duplicate(trader, name, owner), name)
                    continue
                owner.refuse_name(_duplicate(owner, name, trader), name)
            trader.grant_name()
            self._saved.save_name(trader.assignment.label, name)
            granted = True
        return granted

    def _retry_refused(self, now_ns: int) -> None:
        """Start those traders again whose refused name is free now."""
        taken = {trader.name for trader in self._traders.values() if trader.owns_name}
        for trader in self._traders.values():
            if trader.state is TraderState.SKIPPED and trader.refused_name and trader.refused_name not in taken:
                trader.start(now_ns)

    # The roster.

    def by_name(self) -> dict[str, ManagedTrader]:
        """Every trader by a unique name. A trader that owns no name has its last name here, or else its file's; where
        that is taken, its label."""
        names = {trader.name: trader for trader in self._traders.values() if trader.owns_name}
        for label, trader in self._traders.items():
            if not trader.owns_name:
                name = trader.name or trader.assignment.stem
                names[label if name in names else name] = trader
        return names

    def roster(self) -> list[RosterEntry]:
        """A line for each trader."""
        return [trader.roster_entry(name[:128]) for name, trader in self.by_name().items()]

    @property
    def complete(self) -> bool:
        """Whether the roster names every trader: none is still loading for the first time, its name unknown."""
        return all(trader.name or trader.tried or not trader.wanted for trader in self._traders.values())


def _check_not_quarantined(trader: ManagedTrader) -> None:
    if trader.state is TraderState.QUARANTINED:
        raise TickflagError(f"trader {trader.name!r} is quarantined: `tickflag trader release {trader.name}`")


def _check_enabled(trader: ManagedTrader) -> None:
    if trader.state is TraderState.DISABLED:
        name = trader.name or trader.assignment.stem
        raise TickflagError(f"trader {name!r} is disabled: `tickflag trader enable {name}`")


def _duplicate(loser: ManagedTrader, name: str, owner: ManagedTrader) -> str:
    return f"{loser.assignment.label}: the name {name!r} is already that of {owner.assignment.label}"
