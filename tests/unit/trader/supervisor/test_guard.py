"""Guard: a real process over its limits is ended, and the limit is named; a process within them is left alone."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import get_context

import pytest

from tickflag.common import probe
from tickflag.common.settings import load
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.common.units import NS_PER_MS
from tickflag.services.trader.supervisor.guard import DUMP_NS, LONG_NS, Guard
from tickflag.services.trader.worker.activity_word import ActivityWord

START = "import os, signal, sys, threading; os.setpgid(0, 0); {}; print(flush=True); sys.stdin.read()"

Guarded = Callable[..., tuple[Guard, ActivityWord, "subprocess.Popen[str]"]]


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    """Start a process that runs some code, with a guard of these limits; it has settled when this returns."""
    running = []

    def start(code: str = "pass", **limits: int) -> tuple[Guard, ActivityWord, "subprocess.Popen[str]"]:
        process = subprocess.Popen(
            [sys.executable, "-c", START.format(code)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        activity = ActivityWord(ActivityWord.words(get_context("forkserver")))
        activity.memory_bytes = 1
        settings: TraderBlock = load(trader=limits).trader
        return Guard(settings, process.pid, activity), activity, process

    yield start
    for process in running:
        with process, contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # ends its children too


def test_within_its_limits(guarded: Guarded) -> None:
    """The process may be idle for ever, or at work for as long as is allowed."""
    guard, activity, process = guarded(deadline_s=1)
    guard.enforce(1 << 60, "a cycle")
    activity.begin(1)
    guard.enforce(activity.began_ns + 1_000 * NS_PER_MS, "a cycle")
    assert (guard.verdict, guard.excess, guard.memory_hint()) == ("", "", "")
    assert process.poll() is None


def test_long_work_is_told_before_it_is_ended(guarded: Guarded) -> None:
    """What is at work, for whom and when it is ended, as long as it lasts; beside other excesses."""
    guard, activity, process = guarded(deadline_s=30)
    activity.begin(1)
    guard.enforce(activity.began_ns + LONG_NS, "a cycle")
    assert guard.excess == ""
    guard.enforce(activity.began_ns + LONG_NS + 1, "a cycle")
    told = "is at work for more than 2 s, and is ended at 30 s (`trader.deadline_s`)"
    assert guard.excess == f"a cycle {told}"
    guard.enforce(activity.began_ns + LONG_NS + 1, "loading", "rsi")
    assert guard.excess == f"loading of trader 'rsi' {told}"
    activity.end()
    guard.enforce(1 << 60, "a cycle")
    assert (guard.verdict, guard.excess) == ("", "")
    assert process.poll() is None


def test_over_the_deadline(guarded: Guarded) -> None:
    """The process gets the signal on which it writes its stack; what it was working on is to blame."""
    guard, activity, process = guarded(deadline_s=1)
    activity.begin(1)
    guard.enforce(activity.began_ns + 1_000 * NS_PER_MS + 1, "loading")
    assert guard.verdict == "loading took longer than 1 s (`trader.deadline_s`)"
    assert guard.overran
    assert process.wait(10) == -signal.SIGABRT
    guard.enforce(activity.began_ns + 10_000 * NS_PER_MS, "a cycle")  # the process is gone: this does no harm


def test_one_that_ignores_the_signal(guarded: Guarded) -> None:
    """The process is killed after the time that it has for writing."""
    guard, activity, process = guarded("signal.signal(signal.SIGABRT, signal.SIG_IGN)", deadline_s=1)
    activity.begin(1)
    late_ns = activity.began_ns + 2_000 * NS_PER_MS
    guard.enforce(late_ns, "a cycle")
    guard.enforce(late_ns + DUMP_NS - 1, "a cycle")
    assert process.poll() is None
    guard.enforce(late_ns + DUMP_NS, "a cycle")
    assert process.wait(10) == -signal.SIGKILL


def test_too_much_memory(guarded: Guarded) -> None:
    """Memory from before the baseline does not count; before the process reports the baseline, nothing is judged."""
    guard, activity, process = guarded("x = b'x' * (40 << 20)", memory_limit_mb=32)
    reading = probe.read(process.pid)
    assert reading is not None
    activity.memory_bytes = 0
    guard.enforce(1, "a cycle")
    activity.memory_bytes = reading.memory_bytes - (20 << 20)
    guard.enforce(1, "a cycle")
    assert guard.verdict == ""
    assert guard.memory_hint() == ", with 20 MB of memory"
    activity.memory_bytes = reading.memory_bytes - (36 << 20)
    guard.enforce(1, "a cycle")
    assert guard.verdict == "took 36 MB of memory, of 32 (`trader.memory_limit_mb`)"
    assert not guard.overran
    assert process.wait(10) == -signal.SIGABRT


def test_threads_and_children_are_told_of(guarded: Guarded) -> None:
    """They are reported for as long as they are there."""
    code = "stop = threading.Event(); [threading.Thread(target=stop.wait, daemon=True).start() for _ in range(8)]"
    guard, _, _ = guarded(code, thread_limit=5)
    guard.enforce(1, "a cycle")
    assert guard.excess == "6 threads of its own, of 5 (`trader.thread_limit`)"
    guard, _, _ = guarded(code, thread_limit=6)
    guard.enforce(1, "a cycle")
    assert guard.excess == ""
    guard, _, _ = guarded("pid = os.fork(); pid or signal.pause()")
    guard.enforce(1, "a cycle")
    assert guard.excess == "child processes: 1; they end with its worker"


def test_children_of_one_that_ended(guarded: Guarded) -> None:
    """`kill` reaches the children, whether the process itself still runs or not, and may be repeated."""
    guard, _, process = guarded("pid = os.fork(); pid or signal.pause(); print(pid, end='')")
    reading = probe.read(process.pid)
    assert reading is not None
    (child,) = reading.children
    process.kill()
    process.wait(10)
    assert probe.read(child) is not None
    guard.kill()
    assert process.communicate()[0] == ""  # ends when the child process closes it
    guard.kill()
