"""Guard: holds a worker process to its limits. It measures the process from outside, and reports an excess or ends the
process."""

import contextlib
import os
import signal

from tickflag.common import limits, probe
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.services.trader.worker.activity_word import ActivityWord

DUMP_NS = 1_000 * NS_PER_MS  # for faulthandler to write the stack; then the process is killed, if it caught SIGABRT
LONG_NS = 2_000 * NS_PER_MS  # that work may take before the excess tells of it
OUR_THREADS = 3  # the main thread and two of ZeroMQ


class Guard:
    """Guards one process. One thread, which calls `enforce` about twice a second."""

    def __init__(self, settings: TraderBlock, pid: int, activity: ActivityWord) -> None:
        self._settings, self._pid, self._activity = settings, pid, activity
        self.verdict = ""
        """Why the process was ended; empty where the guard did not end it."""
        self.overran = False
        """The process was ended because its work took longer than the deadline."""
        self.excess = ""
        """The limits that the process exceeds and that do not end it."""
        self._memory_mb = 0
        self._kill_ns = 0

    def enforce(self, now_ns: int, work: str, member: str = "") -> None:
        """End the process where it exceeds a limit that ends it. `work` names what the process is doing, `member` for
        which of its traders, where it has several."""
        if self.verdict:
            if now_ns >= self._kill_ns:
                self._send(signal.SIGKILL)
                self.kill()
            return
        limit_s, began_ns = self._settings.deadline_s, self._activity.began_ns
        if began_ns and now_ns - began_ns > limit_s * NS_PER_S:
            self.overran = True
            self._end(f"{work} took longer than {limit_s:g} s (`trader.deadline_s`)", now_ns)
            return
        reading = probe.read(self._pid)
        if reading is None or not self._activity.memory_bytes:  # the process has ended, or has not begun yet
            return
        limit_mb = self._settings.memory_limit_mb
        self._memory_mb = (reading.memory_bytes - self._activity.memory_bytes) >> 20
        verdict = limits.memory_verdict(self._memory_mb, limit_mb)
        if verdict:
            self._end(verdict, now_ns)
        self.excess = self._excess(reading)
        if began_ns and now_ns - began_ns > LONG_NS:
            of = f" of trader {member!r}" if member else ""
            stuck = f"{work}{of} is at work for more than {LONG_NS // NS_PER_S} s, and is ended at {limit_s:g} s"
            self.excess = "; ".join(filter(None, (f"{stuck} (`trader.deadline_s`)", self.excess)))

    def _excess(self, reading: probe.ProcessReading) -> str:
        limit, own = self._settings.thread_limit, reading.threads - OUR_THREADS
        found = []
        if own > limit:
            found.append(f"{own} threads of its own, of {limit} (`trader.thread_limit`)")
        if reading.children:
            found.append(f"child processes: {len(reading.children)}; they end with its worker")
        return "; ".join(found)

    def memory_hint(self) -> str:
        """The memory that a process had when it ended by itself, as a possible cause; empty where it had little."""
        near = 2 * self._memory_mb > self._settings.memory_limit_mb
        return f", with {self._memory_mb:,} MB of memory" if near else ""

    def kill(self) -> None:
        """End the process and its children; the children also where the process itself has ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # a new process has no group of its own yet
            os.killpg(self._pid, signal.SIGKILL)

    def _end(self, verdict: str, now_ns: int) -> None:
        """Abort the process: faulthandler writes the stack first. `verdict` says why."""
        self.verdict, self._kill_ns = verdict, now_ns + DUMP_NS
        self._send(signal.SIGABRT)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)
