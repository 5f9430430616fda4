"""WorkerProcess: the supervisor's end of a forked process: its messages, its limits, and how it ended."""

import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import cast

import pytest

from tests.support.harnesses.fake_fork_server import FakeForkServer, FakeProcess
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS
from tickflag.services.trader.supervisor.worker_handle import WorkerHandle
from tickflag.services.trader.supervisor.worker_process import WorkerProcess
from tickflag.services.trader.worker.launch_spec import LaunchSpec

Make = Callable[[], WorkerProcess]


@pytest.fixture
def make(settings: Settings, runtime: Runtime, server: FakeForkServer) -> Make:
    """Start a process that logs to `a.log`."""
    return lambda: WorkerProcess(settings, runtime.logs / "a.log", cast(ForkServerContext, server))


@pytest.fixture
def pair(make: Make, server: FakeForkServer) -> Iterator[tuple[WorkerHandle, WorkerProcess, FakeProcess]]:
    """A worker, its process on the supervisor's side, and the process itself."""
    process = make()
    worker = WorkerHandle(process, LaunchSpec(Path("/traders/a.py"), "", {}, Path("/a.handover")), "")
    yield worker, process, server.newest
    worker.close()


Pair = tuple[WorkerHandle, WorkerProcess, FakeProcess]


def test_it_runs_and_ends_by_itself(pair: Pair, runtime: Runtime) -> None:
    """Messages reach the worker, output reaches the log, and the exit status is known."""
    worker, process, forked = pair
    assert forked.name == "trader-a"
    assert (process.pid, process.exit_status, process.takes_more) == (forked.pid, None, True)
    assert forked.words() == ["load"]
    forked.write("hello\n")
    forked.load("alpha", helpers=("/traders/helper.py",))
    assert worker.read_messages()
    assert not worker.read_messages()
    assert (worker.ready, worker.name, worker.version) == (True, "alpha", "1")
    assert worker.helpers == {Path("/traders/helper.py")}
    assert (runtime.logs / "a.log").read_text() == "hello\n"
    forked.end(3)
    assert (worker.exit_status, worker.exit_reason) == (3, "ended with status 3")
    assert not process.takes_more
    assert worker.last_output == "hello\n"


def test_an_exception_that_ended_it_is_told(pair: Pair) -> None:
    """The reason has the exception and the status."""
    worker, _, forked = pair
    forked.write("Traceback (most recent call last):\n  File ...\nMemoryError: no\n")
    forked.end(1)
    assert worker.exit_reason == "ended with status 1: MemoryError: no"


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGRTMIN + 2, f"signal {signal.SIGRTMIN + 2}")]
)
def test_a_signal_that_ended_it_is_named(pair: Pair, number: int, name: str) -> None:
    """The reason has the line of the trader at which the signal came, where that is known."""
    worker, _, forked = pair
    forked.end(-number)
    assert worker.exit_reason == f"ended by {name}"
    forked.write('Current thread 0x1 (most recent call first):\n  File "/traders/a.py", line 7 in f\n')
    assert worker.exit_reason == f"ended by {name}, at a.py line 7 in f"


def test_a_process_that_cannot_be_started(make: Make, server: FakeForkServer) -> None:
    """Nothing stays open."""
    server.fault = EOFError("the fork server is gone")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with pytest.raises(EOFError):
        make()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_hung_up_is_not_read_again(pair: Pair) -> None:
    """Messages to it do nothing. Its end is still noticed."""
    worker, process, forked = pair
    assert len(worker.descriptors()) == 3
    forked.hang_up()
    worker.read_messages()
    assert len(worker.descriptors()) == 2
    worker.read_messages()
    process.send(member=1, word="stop")


def test_a_message_to_a_pipe_that_nobody_reads(pair: Pair) -> None:
    """The message is lost, and nothing else happens."""
    worker, _, forked = pair
    forked.hang_up()
    worker.stop()
    assert worker.leaving


def test_a_message_about_nobody(pair: Pair) -> None:
    """The message is ignored."""
    worker, _, forked = pair
    forked.say("ended", member=9)
    assert not worker.read_messages()
    assert worker.exit_status is None


def test_the_process_ends_with_its_last_worker(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is killed with its children if it still runs, and its status stays known; closing again does
    nothing."""
    worker, process, forked = pair
    groups: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda pid, number: groups.append((pid, number)))
    worker.close()
    worker.close()
    assert forked.exitcode == -signal.SIGKILL
    assert groups == [(forked.pid, signal.SIGKILL)]
    assert (process.exit_status, process.descriptors()) == (-signal.SIGKILL, [])
    process.send(member=1, word="stop")  # no member has this number
    process.remove(1)


@pytest.mark.parametrize(("running", "work"), [(False, "loading"), (True, "a cycle")])
def test_it_is_ended_at_its_deadline(pair: Pair, running: bool, work: str) -> None:
    """The reason names what the process was doing; then no further trader is added to it."""
    worker, process, forked = pair
    if running:
        worker.run(7, False)
    forked.activity.begin(1)
    process.enforce_limits(forked.activity.began_ns + 1_000 * NS_PER_MS)
    before = process.takes_more
    process.enforce_limits(forked.activity.began_ns + 1_001 * NS_PER_MS)
    assert (before, process.takes_more) == (True, False)
    forked.end(-signal.SIGABRT)
    process.enforce_limits(0)  # the process has ended: nothing happens
    assert worker.overran
    assert worker.exit_reason == f"{work} took longer than 1 s (`trader.deadline_s`)"
    assert process.culprit is worker
    assert process.excess == ""
