"""TraderWorkers: the worker that runs a trader, and the successor that loads another version beside it."""

from pathlib import Path
from typing import NamedTuple

from tickflag.services.trader.evaluation.plugin.catalog import Assignment
from tickflag.services.trader.incarnations import Incarnations
from tickflag.services.trader.supervisor.worker_handle import WorkerHandle
from tickflag.services.trader.supervisor.worker_pool import WorkerPool
from tickflag.services.trader.worker.launch_spec import LaunchSpec


class WorkerExit(NamedTuple):
    """How a worker ended that nobody had asked to end."""

    trader: str
    incarnation: int
    overran: bool
    """The worker was ended at its deadline."""
    reason: str
    last_output: str


class TraderWorkers:
    """The workers of one trader. Without a current worker there is no successor. One thread."""

    def __init__(self, pool: WorkerPool, logs: Path, incarnations: Incarnations) -> None:
        self.current: WorkerHandle | None = None
        self.successor: WorkerHandle | None = None
        self.switching = False
        """The current worker was asked to make room for the successor."""
        self.incarnation = 0
        """The incarnation of the worker that was told to run last."""
        self._pool, self._logs, self._incarnations = pool, logs, incarnations

    @property
    def newest(self) -> WorkerHandle | None:
        return self.successor or self.current

    @property
    def all(self) -> list[WorkerHandle]:
        return [worker for worker in (self.current, self.successor) if worker is not None]

    @property
    def requested_name(self) -> str:
        """The name that a loaded worker waits to run under; empty where none waits."""
        newest = self.newest
        return newest.name if newest is not None and newest.ready and not newest.running and not self.switching else ""

    @property
    def helpers(self) -> frozenset[Path]:
        """Files of the plugin folder that the workers imported."""
        return frozenset().union(*(worker.helpers for worker in self.all))

    def descriptors(self) -> list[int]:
        """Readable when a worker ended, wrote something or sent a message."""
        return [descriptor for worker in self.all for descriptor in worker.descriptors()]

    def log_path(self, assignment: Assignment) -> Path:
        """Where the worker's process writes: one file for a group."""
        group = assignment.group
        return self._logs / f"{f'group-{group}' if group else assignment.name or assignment.stem}.log"

    def launch(self, assignment: Assignment) -> None:
        """Load the trader in a new current worker. Raises OSError or EOFError where no process can be started."""
        self.current = self._launched(assignment)

    def launch_successor(self, assignment: Assignment) -> None:
        """Load another version beside the current worker. Raises what `launch` raises."""
        self.successor = self._launched(assignment)

    def run_current(self, inherits: bool = False) -> None:
        """Let the current worker run its trader. Where it `inherits`, it begins with what its predecessor left."""
        assert self.current is not None
        self.incarnation = self._incarnations.next(self.incarnation)
        self.current.run(self.incarnation, inherits)

    def go_above(self, known: int) -> bool:
        """Whether the current worker must start anew, as the collector knows another incarnation of the trader. The
        next one then lies above that."""
        if self.current is None or not self.current.running:
            return False
        if not self._incarnations.must_change(self.incarnation, known):
            return False
        self.incarnation = known
        return True

    def make_room(self) -> None:
        """Ask the current worker to end, as the successor has loaded. To a successor of the same name it leaves what it
        has."""
        assert self.current is not None
        assert self.successor is not None
        self.switching = True
        self.current.spec.handover_path.unlink(missing_ok=True)  # an earlier handover that nobody took is too old
        if self.successor.name == self.current.name:
            self.current.hand_over()
        else:
            self.current.stop()

    def promote(self) -> bool:
        """Make the successor the current worker; True where it inherits from the old one."""
        assert self.current is not None
        assert self.successor is not None
        inherits = self.successor.name == self.current.name
        self.current.close()
        self.current, self.successor, self.switching = self.successor, None, False
        return inherits

    def current_exit(self, trader: str) -> WorkerExit:
        """How the current worker of the trader `trader` ended."""
        current = self.current
        assert current is not None
        return WorkerExit(trader, self.incarnation, current.overran, current.exit_reason, current.last_output)

    def close_current(self) -> None:
        """Release the current worker, which has ended. A successor that is still loading becomes the current one."""
        assert self.current is not None
        self.current.close()
        self.current, self.successor = self.successor, None

    def close_successor(self) -> None:
        """End the successor now."""
        if self.successor is not None:
            self.successor.close()
            self.successor = None

    def close(self) -> None:
        """End all workers now."""
        self.close_successor()
        if self.current is not None:
            self.current.close()
            self.current = None
        self.switching = False

    def _launched(self, assignment: Assignment) -> WorkerHandle:
        assert assignment.source is not None
        handover = self._logs / f"{assignment.name or assignment.stem}.handover"
        spec = LaunchSpec(assignment.source, assignment.name, assignment.settings, handover)
        return self._pool.launch(spec, assignment.group, self.log_path(assignment))
