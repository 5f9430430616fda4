"""WorkerPool and WorkerHandle: which process a trader's worker gets, and what becomes of workers that share one."""

import signal
from pathlib import Path

import pytest

from tests.support.harnesses.fake_fork_server import FakeForkServer
from tickflag.common.runtime import Runtime
from tickflag.services.trader.supervisor.guard import Guard
from tickflag.services.trader.supervisor.worker_handle import WorkerHandle
from tickflag.services.trader.supervisor.worker_pool import WorkerPool
from tickflag.services.trader.worker.launch_spec import LaunchSpec


class Launcher:
    """Starts workers of the pool, each by the stem of its file."""

    def __init__(self, pool: WorkerPool, runtime: Runtime) -> None:
        self._pool, self._logs = pool, runtime.logs

    def __call__(self, stem: str, group: str = "") -> WorkerHandle:
        spec = LaunchSpec(Path(f"/traders/{stem}.py"), "", {}, self._logs / f"{stem}.handover")
        return self._pool.launch(spec, group, self._logs / f"{group or stem}.log")


@pytest.fixture
def launch(pool: WorkerPool, runtime: Runtime) -> Launcher:
    return Launcher(pool, runtime)


def test_each_trader_has_a_process(launch: Launcher, server: FakeForkServer) -> None:
    """Only traders of a group have no process of their own."""
    a, b = launch("a"), launch("b")
    assert len({a.pid, b.pid}) == 2
    for worker in (a, b):
        worker.close()
    assert [process.exitcode for process in server.processes] == [-9, -9]


def test_a_group_shares_a_process(launch: Launcher, server: FakeForkServer) -> None:
    """Each member has a number; when one ends, the others stay."""
    a, b = launch("a", "g"), launch("b", "g")
    assert a.pid == b.pid
    forked = server.newest
    assert forked.words() == ["load", "load"]
    assert [message["member"] for message in forked.received] == [1, 2]
    forked.load("alpha", member=1)
    forked.load("beta", member=2)
    a.read_messages()
    b.read_messages()
    assert (a.name, b.name) == ("alpha", "beta")
    forked.say("ended", member=1)
    assert a.read_messages()
    assert (a.exit_status, b.exit_status) == (0, None)
    a.close()
    before = forked.exitcode
    b.close()
    assert (before, forked.exitcode) == (None, -9)
    assert forked.all_words() == ["load", "load", "drop"]  # no word for the member that has ended


def test_the_last_of_a_group_ends_with_its_process(launch: Launcher, server: FakeForkServer) -> None:
    """The process does not end earlier: the last messages are still on their way."""
    a = launch("a", "g")
    server.newest.say("ended")
    a.read_messages()
    before = a.exit_status
    server.newest.end()
    assert (before, a.exit_status, a.exit_reason) == (None, 0, "ended with status 0")
    a.close()


def test_a_process_that_is_about_to_end_gets_no_more(launch: Launcher, server: FakeForkServer) -> None:
    """The next member of the group gets a new process."""
    a = launch("a", "g")
    a.stop()
    b = launch("b", "g")
    assert a.pid != b.pid
    b.hand_over()
    assert b.leaving
    assert server.newest.words() == ["load", "replace"]
    c = launch("c", "g")
    assert len(server.processes) == 3
    for worker in (a, b, c):
        worker.close()


def test_only_the_one_at_work_is_to_blame(launch: Launcher, server: FakeForkServer) -> None:
    """The other members are bystanders, even where the worker to blame has been closed."""
    a, b = launch("a", "g"), launch("b", "g")
    server.newest.activity.begin(2)
    server.newest.end(-signal.SIGSEGV)
    assert not b.bystander
    assert b.exit_reason == "ended by SIGSEGV"
    b.close()
    assert a.bystander
    assert a.exit_reason == "its group 'g' ended at work on trader 'b'"
    a.close()


def test_nobody_at_work(launch: Launcher, server: FakeForkServer) -> None:
    """Nobody is to blame, so nobody is a bystander."""
    a, b = launch("a", "g"), launch("b", "g")
    server.newest.activity.begin(2)
    server.newest.activity.end()
    server.newest.end(-signal.SIGKILL)
    assert not a.bystander
    assert a.exit_reason == "its group 'g' ended by SIGKILL"
    a.close()
    b.close()


def test_what_it_should_not_do(launch: Launcher, server: FakeForkServer) -> None:
    """A slow worker reports itself, until it is not slow any more."""
    a = launch("a")
    server.newest.say("slow", remark="its cycles take 2 s")
    a.read_messages()
    assert a.excess == "its cycles take 2 s"
    server.newest.say("slow", remark="")
    server.newest.say("something new")
    a.read_messages()
    assert a.excess == ""
    a.close()


def test_work_of_a_group_names_its_trader(
    launch: Launcher, server: FakeForkServer, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All members wait for it. A process of one trader needs no name."""
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(Guard, "enforce", lambda _guard, _now_ns, work, member: told.append((work, member)))
    a, b, alone = launch("a", "g"), launch("b", "g"), launch("c")
    server.processes[0].activity.begin(2)
    server.processes[1].activity.begin(1)
    pool.enforce_limits(1)
    server.processes[0].load("beta", member=2)
    b.read_messages()
    pool.enforce_limits(2)
    assert told == [("loading", "b"), ("loading", ""), ("loading", "beta"), ("loading", "")]
    for worker in (a, b, alone):
        worker.close()


def test_limits_are_enforced_while_a_process_has_workers(
    launch: Launcher, server: FakeForkServer, pool: WorkerPool
) -> None:
    """A process whose last worker was closed is forgotten."""
    a, b = launch("a"), launch("b")
    for process in server.processes:
        process.activity.begin(1)
    a.close()
    pool.enforce_limits(1 << 62)
    assert not a.overran
    assert b.overran
    assert [process.pid for process in pool._processes] == [b.pid]
    b.close()
