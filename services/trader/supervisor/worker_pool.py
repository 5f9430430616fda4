"""WorkerPool: finds a process for each worker: a new one, or that of its trader's group."""

import errno
from multiprocessing.context import ForkServerContext
from pathlib import Path

from tickflag.common import limits
from tickflag.common.settings import Settings
from tickflag.services.trader.supervisor.worker_handle import WorkerHandle
from tickflag.services.trader.supervisor.worker_process import WorkerProcess
from tickflag.services.trader.worker.launch_spec import LaunchSpec

WORKER_DESCRIPTORS = 5  # that the supervisor has of each worker process
RESERVED_DESCRIPTORS = 48  # for the start of a process, a successor, and all that the supervisor does besides


class WorkerPool:
    """All worker processes of the supervisor. One thread."""

    def __init__(self, settings: Settings, spawner: ForkServerContext) -> None:
        self._settings, self._spawner = settings, spawner
        self._of_groups: dict[str, WorkerProcess] = {}
        self._processes: list[WorkerProcess] = []

    def launch(self, spec: LaunchSpec, group: str, log_path: Path) -> WorkerHandle:
        """A worker that loads the trader of `spec`. Raises OSError or EOFError where no process can be started; with
        the number EMFILE, as long as descriptors are short."""
        process = self._of_groups.get(group) if group else None
        if process is None or not process.takes_more:
            _check_descriptors()
            process = WorkerProcess(self._settings, log_path, self._spawner)
            self._processes.append(process)
            if group:
                self._of_groups[group] = process
        return WorkerHandle(process, spec, group)

    def enforce_limits(self, now_ns: int) -> None:
        """End the processes that exceed a limit."""
        self._processes = [process for process in self._processes if process.workers]
        for process in self._processes:
            process.enforce_limits(now_ns)


def why_not_started(error: Exception) -> str:
    """The words for an error of `WorkerPool.launch`."""
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return str(error.strerror)
    # The signal that is to end the supervisor reached the fork server too, or memory is short.
    return "the fork server ended before the worker was there: its last words are in the log above"


def _check_descriptors() -> None:
    """Raise OSError where another worker could use up the descriptors. It must not come to that: the fork server would
    end, and with it every worker."""
    if limits.descriptors_left() < WORKER_DESCRIPTORS + RESERVED_DESCRIPTORS:
        most = limits.descriptor_limit()
        raise OSError(
            errno.EMFILE,
            f"the limit of {most:,} open files has no room for another worker, which takes {WORKER_DESCRIPTORS}: raise "
            "it (`ulimit -Hn`, `LimitNOFILE=`), or put traders into groups",
        )
