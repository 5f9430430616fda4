"""Fleet: all traders of the supervisor: it follows the catalog and the operators, and keeps names apart."""

import time
from collections.abc import Iterable
from multiprocessing.context import ForkServerContext
from pathlib import Path

from common.errors import TickflagError
from common.log import Logger
from common.messages import Control, RosterEntry
from common.runtime import Runtime
from common.settings import Settings
from services.trader.catalog import Assignment
from services.trader.child import Child
from services.trader.memory import Memory
from services.trader.process import Hosts
from services.trader.standing import Ending, State

BY_SETTINGS = "`enabled` is false"
BY_OPERATOR = "by an operator"


class Fleet:
    """One child an assignment, in the order of their coming. One thread."""

    def __init__(
        self, settings: Settings, runtime: Runtime, spawner: ForkServerContext, memory: Memory, log: Logger
    ) -> None:
        self._settings, self._runtime, self._memory, self._log = settings, runtime, memory, log
        self._hosts = Hosts(settings, spawner)
        self._children: dict[str, Child] = {}
        self._leaving: list[Child] = []  # theirs are not on the roster any more

    def __len__(self) -> int:
        return len(self._children)

    @property
    def _all(self) -> list[Child]:
        return [*self._children.values(), *self._leaving]

    # What there is to run.

    def follow(self, catalog: Iterable[Assignment], changed: Iterable[Path] = ()) -> None:
        """Start what is new, load anew what is other than before or whose files are among `changed`, end the rest."""
        now_ns = time.monotonic_ns()
        files = frozenset(changed)
        wanted = {assignment.label: assignment for assignment in catalog}
        for label in self._children.keys() - wanted.keys():
            self._remove(label)
        for label, assignment in wanted.items():
            child = self._children.get(label)
            if child is None:
                self._children[label] = child = self._new(assignment)
                self._switch(child, now_ns)
            elif assignment != child.assignment or assignment.source in files or child.helpers & files:
                child.renew(assignment, now_ns)
                self._switch(child, now_ns)

    def _new(self, assignment: Assignment) -> Child:
        name = self._memory.names.get(assignment.label, "")
        return Child(assignment, name, self._settings, self._runtime, self._hosts, self._log)

    def _switch(self, child: Child, now_ns: int) -> None:
        """On or off, as operators and settings want it. One that was stopped until further notice stays so."""
        switched = self._memory.switched.get(child.assignment.label)
        if child.assignment.enabled if switched is None else switched:
            if child.state is State.DISABLED or not (child.tried or child.alive):
                child.start(now_ns)
        elif child.state is not State.DISABLED:
            child.stop(State.DISABLED, BY_SETTINGS if switched is None else BY_OPERATOR)

    def _remove(self, label: str) -> None:
        child = self._children.pop(label)
        self._memory.forget(label)
        child.stop(State.STOPPED, "it was removed")
        self._leaving.append(child)

    # What recovery wants, and is told.

    def obey(self, control: Control) -> bool:
        """Quarantines and fresh starts; True where something changed."""
        now_ns = time.monotonic_ns()
        changed = [
            child.obey(control.quarantined.get(child.name, 0), control.fresh.get(child.name, 0), now_ns)
            for child in self._children.values()
            if child.granted
        ]
        return any(changed)

    def take_endings(self) -> list[Ending]:
        """How workers ended by themselves since the last call."""
        return [ending for child in self._children.values() for ending in child.take_endings()]

    # What operators want.

    def start(self, child: Child) -> None:
        """Run it. Raises TickflagError where it is disabled or quarantined."""
        _check_enabled(child)
        _check_free(child)
        child.start(time.monotonic_ns())

    def stop(self, child: Child) -> None:
        """Until it is started, or the service is. Raises TickflagError where it is disabled."""
        _check_enabled(child)
        child.stop(State.STOPPED, BY_OPERATOR)

    def restart(self, child: Child) -> None:
        """Load its code anew. Raises TickflagError where it is disabled or quarantined."""
        _check_enabled(child)
        _check_free(child)
        if child.state is State.STOPPED:
            child.start(time.monotonic_ns())
        else:
            child.renew(child.assignment, time.monotonic_ns())

    def enable(self, child: Child) -> None:
        """Run it, now and after every start of the service. Raises TickflagError where it is quarantined."""
        _check_free(child)
        child.start(time.monotonic_ns())
        self._memory.switch(child.assignment.label, True)

    def disable(self, child: Child) -> None:
        """Do not run it until it is enabled; its matches leave."""
        child.stop(State.DISABLED, BY_OPERATOR)
        self._memory.switch(child.assignment.label, False)

    # What happens.

    def turn(self, now_ns: int) -> bool:
        """Take in what happened; True where something changed."""
        changed = False
        for child in self._all:
            changed |= child.turn(now_ns)
        self._leaving = [child for child in self._leaving if child.alive]
        changed |= self._grant_names()
        if changed:
            self._retry_refused(now_ns)
        return changed

    def look(self, now_ns: int) -> None:
        """End workers that are over a limit."""
        self._hosts.look(now_ns)

    def descriptors(self) -> list[int]:
        """Readable when a worker ended or said something."""
        return [descriptor for child in self._all for descriptor in child.descriptors()]

    def due_ns(self) -> list[int]:
        """Monotonic times at which `turn` has something to do."""
        return [child.due_ns for child in self._all if child.due_ns]

    def stop_all(self) -> None:
        """Ask every worker to end."""
        for child in self._all:
            if child.alive:
                child.stop(State.STOPPED, "")

    @property
    def alive(self) -> bool:
        """A worker lives."""
        return any(child.alive for child in self._all)

    def kill(self) -> None:
        """End every worker now."""
        for child in self._all:
            child.kill()

    def _grant_names(self) -> bool:
        """Let loaded workers run. Of two that ask for one name at their first start, the first in order has it; later
        nobody takes another's."""
        granted = False
        for number, child in enumerate(self._children.values()):
            name = child.asks
            if not name:
                continue
            holder = next((c for c in self._children.values() if c is not child and c.granted and c.name == name), None)
            if holder is not None:
                earlier = list(self._children.values()).index(holder) < number
                if earlier or child.tried:
                    child.refuse(_duplicate(child, name, holder), name)
                    continue
                holder.refuse(_duplicate(holder, name, child), name)
            child.grant()
            self._memory.learn(child.assignment.label, name)
            granted = True
        return granted

    def _retry_refused(self, now_ns: int) -> None:
        """Those that were refused a name may try again where nobody has it any more."""
        taken = {child.name for child in self._children.values() if child.granted}
        for child in self._children.values():
            if child.state is State.SKIPPED and child.rival and child.rival not in taken:
                child.start(now_ns)

    # What the roster says.

    def shown(self) -> dict[str, Child]:
        """Every trader under a name of its own: one that has none yet, or that another has, under what it is."""
        names = {child.name: child for child in self._children.values() if child.granted}
        for label, child in self._children.items():
            if not child.granted:
                name = child.name or child.assignment.stem
                names[label if name in names else name] = child
        return names

    def roster(self) -> list[RosterEntry]:
        """A line for each."""
        return [child.entry(name[:128]) for name, child in self.shown().items()]

    @property
    def complete(self) -> bool:
        """No trader that is missing on the roster may only not have told its name yet."""
        return all(child.name or child.tried or not child.on for child in self._children.values())


def _check_free(child: Child) -> None:
    if child.state is State.QUARANTINED:
        raise TickflagError(f"trader {child.name!r} is quarantined: `tickflag trader release {child.name}`")


def _check_enabled(child: Child) -> None:
    if child.state is State.DISABLED:
        name = child.name or child.assignment.stem
        raise TickflagError(f"trader {name!r} is disabled: `tickflag trader enable {name}`")


def _duplicate(loser: Child, name: str, holder: Child) -> str:
    return f"{loser.assignment.label}: the name {name!r} is already that of {holder.assignment.label}"
