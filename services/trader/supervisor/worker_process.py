"""WorkerProcess: one forked process of the supervisor, with the traders that run in it."""

import contextlib
import signal
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from tickflag.common.settings import Settings
from tickflag.services.trader.supervisor.guard import Guard
from tickflag.services.trader.supervisor.output import Output
from tickflag.services.trader.worker.activity_word import ActivityWord
from tickflag.services.trader.worker.worker import run_worker, send_word

if TYPE_CHECKING:
    from tickflag.services.trader.supervisor.worker_handle import WorkerHandle


class WorkerProcess:
    """Forks the process on creation; raises OSError or EOFError where that fails. The process ends with its last
    worker. One thread.
    """

    def __init__(self, settings: Settings, log_path: Path, spawner: ForkServerContext) -> None:
        self.workers: dict[int, WorkerHandle] = {}
        """Number by which the process knows the worker -> the worker."""
        self._last_number = 0
        self._culprit: WorkerHandle | None = None
        words = ActivityWord.words(spawner)
        self._activity = ActivityWord(words)
        ours, theirs = spawner.Pipe()
        written, output = spawner.Pipe(duplex=False)
        self._output = Output(written, log_path, settings.trader.log_limit_bytes)
        arguments = (settings, output, theirs, words)
        process = spawner.Process(target=run_worker, args=arguments, name=f"trader-{log_path.stem}", daemon=True)
        try:
            process.start()
        except BaseException:  # whatever kept the process from starting, the pipes must not stay open
            ours.close()
            self._output.close()
            raise
        finally:
            theirs.close()
            output.close()
        self._process: ForkServerProcess | None = process
        self._pipe: Connection | None = ours
        assert process.pid
        self._pid, self._status = process.pid, 0
        self._guard = Guard(settings.trader, self._pid, self._activity)

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def exit_status(self) -> int | None:
        """None while the process lives; negative for a signal."""
        return self._status if self._process is None else self._process.exitcode

    @property
    def culprit(self) -> "WorkerHandle | None":
        """The worker whose trader was at work when the process ended; None where that was not the cause."""
        blamed = self._guard.overran or not self._guard.verdict
        if self._culprit is None and blamed and self._activity.began_ns:
            self._culprit = self.workers.get(self._activity.member)  # noted now, as the worker may be removed later
        return self._culprit

    @property
    def exit_reason(self) -> str:
        """How the process ended, and where in its trader's code."""
        self._output.drain()
        status, site = self.exit_status or 0, self._output.crash_site()
        if self._guard.verdict:
            how = self._guard.verdict
        elif status < 0:
            how = f"ended by {_signal(-status)}{self._guard.memory_hint()}"
        else:
            error = self._output.last_exception()
            return f"ended with status {status}{error and ': '}{error}"
        return f"{how}{site and ', at '}{site}"

    @property
    def overran(self) -> bool:
        """Whether the guard ended the process at its deadline."""
        return self._guard.overran

    @property
    def last_output(self) -> str:
        """The end of what the process wrote, with the stack that a fatal signal left."""
        return self._output.tail()

    @property
    def takes_more(self) -> bool:
        """Whether another worker may be added: the process lives, and is not about to end."""
        ends = all(worker.leaving for worker in self.workers.values())
        return self.exit_status is None and not self._guard.verdict and not ends

    @property
    def excess(self) -> str:
        """The limits that the process exceeds and that do not end it."""
        return self._guard.excess

    def add(self, worker: "WorkerHandle") -> int:
        """Add a worker; gives its number."""
        self._last_number += 1
        self.workers[self._last_number] = worker
        return self._last_number

    def remove(self, number: int) -> None:
        """Forget the worker; after the last one, end the process."""
        self.workers.pop(number, None)
        if not self.workers:
            self._close()

    def descriptors(self) -> list[int]:
        """Readable when the process ended, wrote something or sent a message."""
        if self._process is None:
            return []
        pipe = [self._pipe.fileno()] if self._pipe is not None else []
        return [self._process.sentinel, *pipe, *self._output.descriptors()]

    def read_messages(self) -> None:
        """Read what the process wrote, and give each of its messages to the worker concerned."""
        self._output.drain()
        while self._pipe is not None and self._pipe.poll():
            try:
                words = msgpack.unpackb(self._pipe.recv_bytes())
            except (EOFError, OSError, ValueError):
                self._pipe.close()
                self._pipe = None
                return
            worker = self.workers.get(words.get("member"))
            if worker is not None:
                worker.on_message(words)

    def send(self, **words: Any) -> None:
        """Send a message to the process; nothing happens where the process is gone."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                send_word(self._pipe, **words)

    def enforce_limits(self, now_ns: int) -> None:
        """End the process where it exceeds a limit."""
        worker = self.workers.get(self._activity.member)
        if self.exit_status is None:
            work = "a cycle" if worker is None or worker.running else "loading"
            member = worker.name or worker.spec.label if worker is not None and len(self.workers) > 1 else ""
            self._guard.enforce(now_ns, work, member)

    def _close(self) -> None:
        """End the process, if it still runs, and release what belongs to it."""
        if self._process is not None:
            if self._process.exitcode is None:
                self._process.kill()
            self._process.join()
            self._status = self._process.exitcode or 0
            self._process.close()
            self._process = None
            self._guard.kill()
            self._output.close()
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
