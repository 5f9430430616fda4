"""WorkerProcess: one forked worker as the supervisor sees it: what it told, whether it lives, how to end it."""

import contextlib
import os
import signal
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import msgpack

from services.trader.worker import Order, run_worker, tell


class WorkerProcess:
    """Forks at once. Raises OSError or EOFError where that fails. `close` when it has ended or is to end now."""

    def __init__(self, order: Order, spawner: ForkServerContext, now_ns: int) -> None:
        self.order = order
        self.started_ns = now_ns
        self.ready = False
        """It loaded its trader and told what follows."""
        self.name = ""
        self.version = ""
        self.helpers: frozenset[Path] = frozenset()
        self.refusal = ""
        """Why it did not load."""
        self.going = False
        """It was given the word to go."""
        self.overdue = False
        """It was ended because a cycle took too long."""
        self._watchdog: Any = spawner.RawValue("q", 0)
        ours, theirs = spawner.Pipe()
        arguments = (order, theirs, self._watchdog)
        process = spawner.Process(target=run_worker, args=arguments, name=f"trader-{order.log_path.stem}", daemon=True)
        try:
            process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._process: ForkServerProcess = process
        self._pipe: Connection | None = ours

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def exit_status(self) -> int | None:
        """None while it lives; negative for a signal."""
        return self._process.exitcode

    def descriptors(self) -> list[int]:
        """Readable when it ended or said something."""
        pipe = [self._pipe.fileno()] if self._pipe is not None else []
        return [self._process.sentinel, *pipe]

    def listen(self) -> bool:
        """Take what it said; True where it said something."""
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
                self.refusal = str(words.get("reason"))
            elif words.get("state") == "ready":
                self.name, self.version = str(words.get("name")), str(words.get("version"))
                self.helpers = frozenset(map(Path, words.get("helpers", ())))
                self.ready = True
        return heard

    def tell(self, **words: Any) -> None:
        """A word to it; nothing where it has gone."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                tell(self._pipe, **words)

    def go(self, incarnation: int, inherits: bool) -> None:
        """Let it run, with what its predecessor left where it `inherits`."""
        self.going = True
        self.tell(incarnation=incarnation, inherits=inherits)

    def abort_if_overdue(self, now_ns: int, limit_s: float) -> None:
        """End it where its present cycle, or its loading, takes longer; faulthandler writes its stack."""
        began_ns = int(self._watchdog.value)
        if began_ns and now_ns - began_ns > limit_s * 1e9:
            self._watchdog.value = 0
            self.overdue = True
            if self.pid and self.exit_status is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGABRT)

    def close(self) -> None:
        """End it now, if it still runs, and release what belongs to it."""
        if self.exit_status is None:
            self._process.kill()
        self._process.join()
        self._process.close()
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
