"""Child: one trader file and the process that runs it, as the supervisor sees them."""

import contextlib
import enum
import os
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import msgpack

from common.log import Logger
from common.messages import RosterEntry
from common.runtime import Runtime
from common.settings import Settings
from services.trader.pace import Backoff
from services.trader.worker import Order, run_worker, tell

MS = 1_000_000
HEALTHY_NS = 60_000 * MS  # a worker that ran so long starts its backoff over


class State(enum.Enum):
    """What the roster says of a trader."""

    RUNNING = "running"
    RESTARTING = "restarting"
    SKIPPED = "skipped"
    STOPPED = "stopped"


class Child:
    """Starts, watches and restarts one worker. `turn` whenever a descriptor is readable or `due_ns` has come."""

    def __init__(
        self, path: Path, settings: Settings, runtime: Runtime, spawner: ForkServerContext, log: Logger
    ) -> None:
        self.path = path.resolve()
        self.state = State.STOPPED
        self.name = ""
        """What the file declares; empty until its worker told."""
        self.granted = False
        """It has the name, and its worker the word to go."""
        self.waits = False
        """Its worker told its name and waits for `grant`."""
        self.due_ns = 0
        """Monotonic time of the next restart; 0 where none is due."""
        self._settings, self._runtime, self._spawner, self._log = settings, runtime, spawner, log
        self._process: ForkServerProcess | None = None
        self._pipe: Connection | None = None
        self._watchdog: Any = spawner.RawValue("q", 0)
        self._restarts = 0
        self._reason = ""
        self._started_ns = 0
        self._incarnation = 0
        self._stopping = False
        trader = settings.trader
        self._backoff = Backoff(int(trader.restart_ms * MS), int(trader.restart_limit_ms * MS))

    @property
    def alive(self) -> bool:
        return self._process is not None

    @property
    def shown_name(self) -> str:
        """The declared name while it is this file's, else the file's own."""
        return self.name if self.granted else self.path.stem

    def start(self, now_ns: int) -> None:
        """Fork a worker."""
        ours, theirs = self._spawner.Pipe()
        self._watchdog.value = 0
        order = Order(self.path, self._settings, self._log_path())
        process = self._spawner.Process(
            target=run_worker, args=(order, theirs, self._watchdog), name=f"trader-{self.path.stem}", daemon=True
        )
        self._started_ns = now_ns
        self.due_ns = 0
        try:
            process.start()
        except (EOFError, OSError):  # by the signal that is to end us too, or for want of memory
            ours.close()
            self._again("the fork server ended before the worker was there", now_ns)
        else:
            self._process, self._pipe = process, ours
            self.state = State.RUNNING
        finally:
            theirs.close()

    def grant(self) -> None:
        """Let the loaded worker run under its name."""
        self.granted, self.waits = True, False
        # Grows with every start, over restarts of the supervisor too, unless the clock is set back that far.
        self._incarnation = max(self._incarnation + 1, time.time_ns() // MS)
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                tell(self._pipe, incarnation=self._incarnation)
        self._log.info("trader runs", trader=self.name, file=self.path.name, restarts=self._restarts)

    def descriptors(self) -> list[int]:
        """Readable when the worker ended or said something."""
        found: list[int] = []
        if self._process is not None:
            found.append(self._process.sentinel)
        if self._pipe is not None:
            found.append(self._pipe.fileno())
        return found

    def turn(self, now_ns: int) -> bool:
        """Take in what happened and restart what is due; True where something changed."""
        changed = self._listen()
        process = self._process
        if process is not None and process.exitcode is not None:
            self._listen()
            self._ended(process.exitcode, now_ns)
            changed = True
        if self.due_ns and now_ns >= self.due_ns:
            self.start(now_ns)
            changed = True
        return changed

    def look(self, now_ns: int) -> None:
        """End a worker whose cycle is over its deadline; cut a log that is too long."""
        began_ns = int(self._watchdog.value)
        limit_s = self._settings.trader.deadline_s
        if self._process is not None and began_ns and now_ns - began_ns > limit_s * 1e9:
            self._reason = f"a cycle took longer than {limit_s:g} s (`trader.deadline_s`); its stack is in the log"
            self._watchdog.value = 0
            self._signal(signal.SIGABRT)  # faulthandler writes the stack, then the process ends
        with contextlib.suppress(OSError):
            if self._log_path().stat().st_size > self._settings.trader.log_limit_bytes:
                os.truncate(self._log_path(), 0)  # it is opened for appending, so the next line starts at 0

    def refuse(self, reason: str) -> None:
        """This file must not run."""
        self.granted = False
        self._skip(reason)
        self.kill()

    def ask_stop(self) -> None:
        self._stopping = True
        self.due_ns = 0
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                tell(self._pipe, word="stop")

    def kill(self) -> None:
        """End the worker now, if it still runs."""
        self._stopping = True
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._forget()
        if self.state is not State.SKIPPED:
            self.state = State.STOPPED

    def entry(self) -> RosterEntry:
        """The roster's line."""
        return RosterEntry(
            name=self.shown_name,
            state=self.state.value,
            pid=self._process.pid or 0 if self._process is not None else 0,
            restarts=self._restarts,
            source=str(self.path),
            reason=self._reason[:4096],
        )

    def _listen(self) -> bool:
        """Take what the worker said."""
        heard = False
        while self._pipe is not None and self._pipe.poll():
            try:
                words = msgpack.unpackb(self._pipe.recv_bytes())
            except (EOFError, OSError, ValueError):
                self._pipe.close()
                self._pipe = None
                break
            heard = True
            if words.get("state") == "refused":
                self._skip(str(words.get("reason")))
            elif words.get("state") == "ready":
                self.name = str(words.get("name"))
                self._reason = ""
                self.waits = True
        return heard

    def _ended(self, status: int, now_ns: int) -> None:
        self._forget()
        if self.state is State.SKIPPED:
            return
        if self._stopping:
            self.state = State.STOPPED
            return
        how = f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self._again(self._reason if self._reason.startswith("a cycle took") and status < 0 else how, now_ns)

    def _again(self, reason: str, now_ns: int) -> None:
        """Start anew after a while."""
        if now_ns - self._started_ns > HEALTHY_NS:
            self._backoff.succeeded()
        wait_ns = self._backoff.failed()
        self.due_ns = now_ns + wait_ns
        self._restarts += 1
        self.state = State.RESTARTING
        self._reason = reason
        self._log.warning("trader ended", trader=self.shown_name, reason=reason, again_in_s=round(wait_ns / 1e9, 3))

    def _skip(self, reason: str) -> None:
        self.state = State.SKIPPED
        self._reason = reason
        self._log.warning("trader skipped", file=self.path.name, reason=reason)

    def _forget(self) -> None:
        if self._process is not None:
            self._process.join()
            self._process.close()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None
        self.waits = False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _log_path(self) -> Path:
        return self._runtime.logs / f"{self.path.stem}.log"
