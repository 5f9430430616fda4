"""Guard: a real process over its limits is ended, with the limit named; one within them is not."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import get_context

import pytest

from common.blocks import TraderBlock
from common.settings import load
from services.trader import probe
from services.trader.guard import DUMP_NS, Guard
from services.trader.watch import Watch

MS = 1_000_000
START = "import os, signal, sys, threading; os.setpgid(0, 0); {}; print(flush=True); sys.stdin.read()"

Guarded = Callable[..., tuple[Guard, Watch, "subprocess.Popen[str]"]]


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    """Start a process with some code, with a guard of these limits; it has settled when this returns."""
    running = []

    def start(code: str = "pass", **limits: int) -> tuple[Guard, Watch, "subprocess.Popen[str]"]:
        process = subprocess.Popen(
            [sys.executable, "-c", START.format(code)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        watch = Watch(Watch.words(get_context("forkserver")))
        watch.memory_bytes = 1
        settings: TraderBlock = load(trader=limits).trader
        return Guard(settings, process.pid, watch), watch, process

    yield start
    for process in running:
        with process, contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with its children


def test_within_its_limits(guarded: Guarded) -> None:
    """Idle for ever, or at work for as long as is allowed."""
    guard, watch, process = guarded(deadline_s=1)
    guard.look(1 << 60, "a cycle")
    watch.begin(1)
    guard.look(watch.began_ns + 1_000 * MS, "a cycle")
    assert (guard.verdict, guard.remark, guard.hint()) == ("", "", "")
    assert process.poll() is None


def test_over_the_deadline(guarded: Guarded) -> None:
    """It gets the signal at which it writes its stack; what it was at work on is to blame."""
    guard, watch, process = guarded(deadline_s=1)
    watch.begin(1)
    guard.look(watch.began_ns + 1_000 * MS + 1, "loading")
    assert guard.verdict == "loading took longer than 1 s (`trader.deadline_s`)"
    assert guard.at_work
    assert process.wait(10) == -signal.SIGABRT
    guard.look(watch.began_ns + 10_000 * MS, "a cycle")  # of a process that is gone: no harm


def test_one_that_ignores_the_signal(guarded: Guarded) -> None:
    """It is killed, when it had its time to write."""
    guard, watch, process = guarded("signal.signal(signal.SIGABRT, signal.SIG_IGN)", deadline_s=1)
    watch.begin(1)
    late_ns = watch.began_ns + 2_000 * MS
    guard.look(late_ns, "a cycle")
    guard.look(late_ns + DUMP_NS - 1, "a cycle")
    assert process.poll() is None
    guard.look(late_ns + DUMP_NS, "a cycle")
    assert process.wait(10) == -signal.SIGKILL


def test_too_much_memory(guarded: Guarded) -> None:
    """What it had at its start does not count; before it said how much that was, nothing is judged."""
    guard, watch, process = guarded("x = b'x' * (40 << 20)", memory_limit_mb=32)
    reading = probe.read(process.pid)
    assert reading is not None
    watch.memory_bytes = 0
    guard.look(1, "a cycle")
    watch.memory_bytes = reading.memory_bytes - (20 << 20)
    guard.look(1, "a cycle")
    assert guard.verdict == ""
    assert guard.hint() == ", with 20 MB of memory"
    watch.memory_bytes = reading.memory_bytes - (36 << 20)
    guard.look(1, "a cycle")
    assert guard.verdict == "took 36 MB of memory, of 32 (`trader.memory_limit_mb`)"
    assert not guard.at_work
    assert process.wait(10) == -signal.SIGABRT


def test_threads_and_children_are_told_of(guarded: Guarded) -> None:
    """As long as they are there, and no longer."""
    code = "stop = threading.Event(); [threading.Thread(target=stop.wait, daemon=True).start() for _ in range(8)]"
    guard, _, _ = guarded(code, thread_limit=5)
    guard.look(1, "a cycle")
    assert guard.remark == "6 threads of its own, of 5 (`trader.thread_limit`)"
    guard, _, _ = guarded(code, thread_limit=6)
    guard.look(1, "a cycle")
    assert guard.remark == ""
    guard, _, _ = guarded("pid = os.fork(); pid or signal.pause()")
    guard.look(1, "a cycle")
    assert guard.remark == "child processes: 1; they end with its worker"


def test_children_of_one_that_ended(guarded: Guarded) -> None:
    """`kill` reaches them, whether the process itself still runs or not, and may be said again."""
    guard, _, process = guarded("pid = os.fork(); pid or signal.pause(); print(pid, end='')")
    reading = probe.read(process.pid)
    assert reading is not None
    (child,) = reading.children
    process.kill()
    process.wait(10)
    assert probe.read(child) is not None
    guard.kill()
    assert process.communicate()[0] == ""  # ends when the child has let go of it
    guard.kill()
