"""Guard: the limits of a worker process, from outside: it looks at the process, tells of it, and ends it."""

import contextlib
import os
import signal

from common.blocks import TraderBlock
from services.trader import probe
from services.trader.watch import Watch

MS = 1_000_000
DUMP_NS = 1_000 * MS  # for faulthandler to write the stack; a process that catches SIGABRT has no longer either
OUR_THREADS = 3  # the main one, and ZeroMQ's two


class Guard:
    """One thread. `look` at it twice a second or so."""

    def __init__(self, settings: TraderBlock, pid: int, watch: Watch) -> None:
        self._settings, self._pid, self._watch = settings, pid, watch
        self.verdict = ""
        """Why the process was ended; empty where it was not."""
        self.at_work = False
        """It was for what it was at work on, and took too long."""
        self.remark = ""
        """What it does that it should not, and goes on doing."""
        self._memory_mb = 0
        self._kill_ns = 0

    def look(self, now_ns: int, work: str) -> None:
        """`work` is what the process is at, in a word."""
        if self.verdict:
            if now_ns >= self._kill_ns:
                self._send(signal.SIGKILL)
                self.kill()
            return
        limit_s, began_ns = self._settings.deadline_s, self._watch.began_ns
        if began_ns and now_ns - began_ns > limit_s * 1e9:
            self.at_work = True
            self._end(f"{work} took longer than {limit_s:g} s (`trader.deadline_s`)", now_ns)
            return
        reading = probe.read(self._pid)
        if reading is None or not self._watch.memory_bytes:  # ended, or not at its start yet
            return
        limit_mb = self._settings.memory_limit_mb
        self._memory_mb = (reading.memory_bytes - self._watch.memory_bytes) >> 20
        if self._memory_mb > limit_mb:
            self._end(f"took {self._memory_mb:,} MB of memory, of {limit_mb:,} (`trader.memory_limit_mb`)", now_ns)
        self.remark = self._excess(reading)

    def _excess(self, reading: probe.Reading) -> str:
        limit, own = self._settings.thread_limit, reading.threads - OUR_THREADS
        found = []
        if own > limit:
            found.append(f"{own} threads of its own, of {limit} (`trader.thread_limit`)")
        if reading.children:
            found.append(f"child processes: {len(reading.children)}; they end with its worker")
        return "; ".join(found)

    def hint(self) -> str:
        """What may have been the cause where a process ended by itself."""
        near = 2 * self._memory_mb > self._settings.memory_limit_mb
        return f", with {self._memory_mb:,} MB of memory" if near else ""

    def kill(self) -> None:
        """End the process, and its children also where it has ended itself."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # a young one has no group of its own yet
            os.killpg(self._pid, signal.SIGKILL)

    def _end(self, verdict: str, now_ns: int) -> None:
        """faulthandler writes the stack."""
        self.verdict, self._kill_ns = verdict, now_ns + DUMP_NS
        self._send(signal.SIGABRT)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)
