"""ManagedTrader and TraderWorkers: another version loads beside the running one, and takes over or is refused."""

import time

import pytest

from tests.support.harnesses.fake_fork_server import FakeForkServer
from tests.support.stand_ins.recorded_log import RecordedLog
from tests.unit.trader.supervisor.conftest import NOW_NS, assigned, line, load_newest, state
from tickflag.common.runtime import Runtime
from tickflag.services.trader.supervisor.managed_trader import PATIENCE_NS, ManagedTrader
from tickflag.services.trader.supervisor.trader_state import TraderState


def replaced(trader: ManagedTrader, server: FakeForkServer, name: str = "alpha") -> None:
    """Let another version load, which asks the old worker to hand over."""
    trader.reload(assigned(), NOW_NS)
    assert len(server.processes) == 2
    assert trader.busy
    load_newest(trader, server, name, "2")


def test_another_version_takes_over(running: ManagedTrader, server: FakeForkServer, runtime: Runtime) -> None:
    """The old worker runs until the new one has loaded; then it hands over, and the new one inherits."""
    old = server.newest
    stale = runtime.logs / "alpha.handover"
    stale.write_text("too old")
    replaced(running, server)
    assert old.words() == ["replace"]
    assert not stale.exists()
    assert server.newest.words() == ["load"]
    assert running.version == "1"
    old.end()
    assert running.step(NOW_NS)
    assert server.newest.words() == ["go"]
    assert server.newest.received[-1]["inherits"]
    assert (running.version, running.busy, running.due_ns, len(running.workers.all)) == ("2", False, 0, 1)
    assert running.drain_exits() == []


def test_a_version_with_another_name_inherits_nothing(running: ManagedTrader, server: FakeForkServer) -> None:
    """A version with another name is another trader; the old one ends with its last report."""
    old = server.newest
    replaced(running, server, "beta")
    assert old.words() == ["stop"]
    old.end()
    running.step(NOW_NS)
    assert server.newest.words() == ["load", "go"]
    assert not server.newest.received[-1]["inherits"]
    assert running.name == "beta"


def test_an_old_worker_that_makes_no_room(running: ManagedTrader, server: FakeForkServer) -> None:
    """The old worker is killed when patience ends."""
    old = server.newest
    before_ns = time.monotonic_ns()
    replaced(running, server)
    assert running.due_ns >= before_ns + PATIENCE_NS
    running.step(running.due_ns)
    assert old.exitcode == -9
    assert running.version == "2"


def test_a_further_version_meanwhile(running: ManagedTrader, server: FakeForkServer) -> None:
    """A takeover that has begun is completed, and the next version loads beside it. A version that is still loading is
    dropped."""
    replaced(running, server)
    running.reload(assigned(), NOW_NS)
    assert running.version == "2"
    assert len(server.processes) == 3
    running.reload(assigned(), NOW_NS)
    assert server.processes[2].exitcode == -9
    assert len(server.processes) == 4
    assert state(running) is TraderState.RUNNING


def test_a_version_for_one_that_does_not_run_yet(trader: ManagedTrader, server: FakeForkServer) -> None:
    """The version replaces the loading worker at once."""
    trader.start(NOW_NS)
    trader.reload(assigned(), NOW_NS)
    assert server.processes[0].exitcode == -9
    assert server.newest.exitcode is None


@pytest.mark.parametrize("how", ["refused", "ended", "name"])
def test_a_version_that_cannot_run(running: ManagedTrader, server: FakeForkServer, how: str) -> None:
    """The version is refused with the reason, and the old one runs on."""
    old = server.newest
    running.reload(assigned(), NOW_NS)
    if how == "refused":
        server.newest.say("refused", reason="why")
    elif how == "ended":
        server.newest.write("Traceback (most recent call last):\nwhy")
        server.newest.end(1)
    else:
        running.refuse_name("why", "taken")
    running.step(NOW_NS)
    assert line(running)["reason"].endswith("why")
    assert line(running)["reason"].startswith("new version refused: ")
    assert (state(running), running.version, running.busy, old.exitcode) == (TraderState.RUNNING, "1", False, None)
    assert server.newest.exitcode is not None


def test_no_process_for_a_version(running: ManagedTrader, server: FakeForkServer) -> None:
    """The old version runs on."""
    server.fault = EOFError()
    running.reload(assigned(), NOW_NS)
    told = "the fork server ended before the worker was there: its last words are in the log above"
    assert line(running)["reason"] == f"new version refused: {told}"
    assert running.alive


def test_a_version_that_dies_at_the_last_moment(running: ManagedTrader, server: FakeForkServer) -> None:
    """The old worker has been asked to end already: it ends, and is started again."""
    old = server.newest
    replaced(running, server)
    server.newest.end(1)
    assert running.step(NOW_NS)
    assert (running.workers.switching, running.due_ns) == (False, 0)
    old.end()
    running.step(NOW_NS)
    assert state(running) is TraderState.RESTARTING
    running.step(running.due_ns)
    load_newest(running, server, version="2")
    assert running.version == "2"


def test_the_old_worker_dies_while_a_version_loads(
    running: ManagedTrader, server: FakeForkServer, log: RecordedLog
) -> None:
    """The version takes over: the edit may mend what ended the old worker. That end is reported."""
    running.reload(assigned(), NOW_NS)
    server.processes[0].end(3)
    running.step(NOW_NS)
    assert [ended.reason for ended in running.drain_exits()] == ["ended with status 3"]
    assert (running.alive, running.due_ns, log.events()[-1]) == (True, 0, "trader ended")
    load_newest(running, server, version="2")
    assert running.version == "2"
    assert server.newest.words() == ["load", "go"]
    assert not server.newest.received[-1]["inherits"]


def test_a_stop_ends_a_version_that_loads(running: ManagedTrader, server: FakeForkServer) -> None:
    """After the stop both are gone."""
    running.reload(assigned(), NOW_NS)
    running.stop(TraderState.STOPPED, "by an operator")
    assert server.newest.exitcode == -9
    server.processes[0].end()
    running.step(NOW_NS)
    assert not running.alive


def test_settings_count_once_they_run(running: ManagedTrader, server: FakeForkServer) -> None:
    """The roster tells other settings when the worker that has them runs, and not before."""
    assert line(running)["settings"] == ""
    changed = assigned(settings={"period": 28})
    running.reload(changed, NOW_NS)
    load_newest(running, server)
    assert line(running)["settings"] == ""
    running.reload(assigned(settings={"period": 29}), NOW_NS)  # in the middle of the change: the first one runs then
    assert line(running)["settings"] == changed.settings_digest
