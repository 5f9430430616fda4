"""ManagedTrader: starts, ends, restarts and refusals of one trader, whose workers the test plays."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.harnesses.fake_fork_server import FakeForkServer
from tests.support.stand_ins.recorded_log import RecordedLog
from tests.unit.trader.supervisor.conftest import (
    NOW_NS,
    RESTART_LIMIT_NS,
    RESTART_NS,
    assigned,
    line,
    load_newest,
    state,
)
from tickflag.common import limits
from tickflag.common.units import NS_PER_MS
from tickflag.services.trader.supervisor.managed_trader import HEALTHY_NS, WARN_AGAIN_NS, ManagedTrader
from tickflag.services.trader.supervisor.trader_state import TraderState
from tickflag.services.trader.supervisor.worker_pool import WorkerPool
from tickflag.services.trader.worker.launch_spec import LaunchSpec


def test_it_starts(trader: ManagedTrader, server: FakeForkServer, log: RecordedLog) -> None:
    """The trader loads, waits for its name, and only then runs; a start of a running trader does nothing."""
    assert (trader.alive, trader.busy, trader.wanted, trader.name) == (False, False, False, "")
    assert trader.workers.descriptors() == []
    trader.start(NOW_NS)
    assert (trader.alive, trader.busy, trader.wanted, trader.tried) == (True, True, True, False)
    assert server.newest.words() == ["load"]
    assert not trader.step(NOW_NS)
    load_newest(trader, server)
    trader.start(NOW_NS)
    assert server.newest.words() == ["go"]
    assert len(server.processes) == 1
    go = server.newest.received[-1]
    assert go["incarnation"] == trader.workers.incarnation > 0
    assert not go["inherits"]
    assert (trader.name, trader.version, trader.owns_name, trader.tried, trader.busy) == (
        "alpha",
        "1",
        True,
        True,
        False,
    )
    assert line(trader) == {
        "name": "alpha", "state": "running", "pid": server.newest.pid, "restarts": 0, "source": "/traders/alpha.py",
        "reason": "", "trader_version": "1", "log": "alpha", "settings": "",
    }  # fmt: skip
    assert log.events() == ["trader runs"]


@pytest.mark.parametrize(
    ("fields", "log_name"), [({"name": "fast"}, "fast"), ({"name": "fast", "group": "g"}, "group-g"), ({}, "alpha")]
)
def test_where_its_log_is(trader: ManagedTrader, fields: dict[str, Any], log_name: str) -> None:
    """The log has the name of the group, of the instance, or of the file."""
    trader.assignment = assigned(**fields)
    assert line(trader)["log"] == log_name


def test_a_worker_that_ended_is_started_again(running: ManagedTrader, server: FakeForkServer) -> None:
    """Each wait is twice as long as the one before, up to the limit. The end is reported once, and each start has a
    larger incarnation."""
    now_ns, incarnations = NOW_NS, [running.workers.incarnation]
    for count, wait_ns in enumerate((RESTART_NS, 2 * RESTART_NS, RESTART_LIMIT_NS), 1):
        server.newest.write("oh\n")
        server.newest.end(3)
        assert running.step(now_ns)
        (ended,) = running.drain_exits()
        assert ended == ("alpha", incarnations[-1], False, "ended with status 3", "oh\n")
        assert running.drain_exits() == []
        assert (state(running), running.alive, running.due_ns) == (TraderState.RESTARTING, False, now_ns + wait_ns)
        assert (line(running)["restarts"], line(running)["reason"]) == (count, "ended with status 3")
        assert not running.step(running.due_ns - 1)
        assert len(server.processes) == count
        now_ns = running.due_ns
        assert running.step(now_ns)
        load_newest(running, server)
        assert (state(running), running.due_ns, line(running)["reason"]) == (TraderState.RUNNING, 0, "")
        incarnations.append(running.workers.incarnation)
    assert sorted(set(incarnations)) == incarnations


def test_one_that_ran_long_starts_its_backoff_over(running: ManagedTrader, server: FakeForkServer) -> None:
    """A worker that ends once an hour is not one that ends all the time."""
    server.newest.end(3)
    running.step(NOW_NS)
    running.step(running.due_ns)
    load_newest(running, server)
    server.newest.end(3)
    later_ns = time.monotonic_ns() + HEALTHY_NS + 1_000 * NS_PER_MS
    running.step(later_ns)
    assert running.due_ns == later_ns + RESTART_NS


def test_one_that_never_told_its_name(trader: ManagedTrader, server: FakeForkServer) -> None:
    """The trader is started again, but has no circuit that could count the end."""
    trader.start(NOW_NS)
    server.newest.end(1)
    trader.step(NOW_NS)
    assert trader.drain_exits() == []
    assert (state(trader), trader.tried) == (TraderState.RESTARTING, True)


def test_a_bystander_is_not_blamed(trader: ManagedTrader, server: FakeForkServer, pool: WorkerPool) -> None:
    """Another trader ended the process of its group: it is started again after the shortest wait, whatever was before,
    and no circuit counts the end."""
    trader.assignment = assigned(group="g")
    trader.start(NOW_NS)
    server.newest.end(3)
    trader.step(NOW_NS)
    trader.step(trader.due_ns)
    load_newest(trader, server)
    other = pool.launch(LaunchSpec(Path("/b.py"), "", {}, Path("/b.handover")), "g", Path("/unused"))
    server.newest.activity.begin(2)
    server.newest.end(-11)
    trader.step(NOW_NS)
    assert trader.drain_exits() == []
    assert line(trader)["reason"] == "its group 'g' ended at work on trader 'b'"
    assert trader.due_ns == NOW_NS + RESTART_NS
    other.close()


def test_no_process_can_be_started(trader: ManagedTrader, server: FakeForkServer) -> None:
    """The start is tried again."""
    server.fault = OSError("no memory")
    trader.start(NOW_NS)
    assert state(trader) is TraderState.RESTARTING
    server.fault = None
    trader.step(trader.due_ns)
    load_newest(trader, server)
    assert state(trader) is TraderState.RUNNING


def test_too_few_descriptors_for_another_worker(
    trader: ManagedTrader, server: FakeForkServer, log: RecordedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process is started, as the fork server would end by it. The reason names the limit, and the log says it once;
    the trader runs when there is room."""
    monkeypatch.setattr(limits, "descriptors_left", lambda: 52)
    monkeypatch.setattr(limits, "descriptor_limit", lambda: 1_024)
    trader.start(NOW_NS)
    trader.step(trader.due_ns)
    assert (state(trader), server.processes) == (TraderState.RESTARTING, [])
    assert "the limit of 1,024 open files has no room for another worker" in line(trader)["reason"]
    assert (line(trader)["restarts"], log.events()) == (0, ["trader not started"])
    monkeypatch.setattr(limits, "descriptors_left", lambda: 53)
    trader.step(trader.due_ns)
    load_newest(trader, server)
    monkeypatch.setattr(limits, "descriptors_left", lambda: 52)
    trader.reload(trader.assignment, NOW_NS)
    assert (state(trader), len(server.processes)) == (TraderState.RUNNING, 1)
    assert "new version refused: the limit of 1,024 open files" in line(trader)["reason"]


def test_what_does_not_load_is_skipped(trader: ManagedTrader, server: FakeForkServer, log: RecordedLog) -> None:
    """The trader stays skipped until it is loaded anew."""
    trader.start(NOW_NS)
    server.newest.say("refused", reason="no trader in it")
    assert trader.step(NOW_NS)
    assert (state(trader), trader.alive, trader.tried, trader.due_ns) == (TraderState.SKIPPED, False, True, 0)
    assert line(trader)["reason"] == "no trader in it"
    assert log.events() == ["trader skipped"]
    trader.kill()
    assert state(trader) is TraderState.SKIPPED
    trader.reload(assigned(), NOW_NS)
    load_newest(trader, server)
    assert state(trader) is TraderState.RUNNING


def test_an_assignment_at_fault_is_skipped(trader: ManagedTrader, server: FakeForkServer) -> None:
    """No process is started."""
    trader.assignment = assigned(fault="no such file")
    trader.start(NOW_NS)
    assert (state(trader), line(trader)["reason"]) == (TraderState.SKIPPED, "no such file")
    assert server.processes == []


def test_a_name_that_another_has(trader: ManagedTrader, server: FakeForkServer) -> None:
    """The trader is skipped. The name is remembered, so that the trader can be tried again."""
    trader.start(NOW_NS)
    server.newest.load("taken")
    trader.step(NOW_NS)
    trader.refuse_name("taken by b.py", "taken")
    assert (state(trader), trader.refused_name, trader.owns_name) == (TraderState.SKIPPED, "taken", False)
    trader.start(NOW_NS)
    assert trader.refused_name == ""


def test_a_stop_is_obeyed(running: ManagedTrader, server: FakeForkServer) -> None:
    """The worker is asked to end. After its end nothing is due and nobody is blamed."""
    running.stop(TraderState.STOPPED, "by an operator")
    assert (running.wanted, running.busy) == (False, True)
    assert running.due_ns > 0
    assert server.newest.words() == ["stop"]
    server.newest.end()
    assert running.step(NOW_NS)
    assert (state(running), running.busy, running.due_ns) == (TraderState.STOPPED, False, 0)
    assert running.drain_exits() == []
    running.reload(assigned(), NOW_NS)
    assert not running.alive
    running.stop(TraderState.STOPPED, "")
    assert running.due_ns == 0


def test_one_that_does_not_obey_is_killed(running: ManagedTrader, server: FakeForkServer) -> None:
    """The kill comes when patience ends."""
    running.stop(TraderState.STOPPED, "by an operator")
    assert not running.step(running.due_ns - 1)
    assert server.newest.exitcode is None
    assert running.step(running.due_ns)
    assert not running.alive
    assert [process.exitcode for process in server.processes] == [-9]


def test_a_kill_is_a_stop(running: ManagedTrader, server: FakeForkServer) -> None:
    """A kill acts at once; a disabled trader stays disabled."""
    running.kill()
    assert (state(running), server.newest.exitcode) == (TraderState.STOPPED, -9)
    running.stop(TraderState.DISABLED, "")
    running.kill()
    assert state(running) is TraderState.DISABLED


# What recovery orders.


def test_a_quarantine(running: ManagedTrader, server: FakeForkServer) -> None:
    """A quarantine stops the trader until the quarantine ends."""
    assert not running.follow_recovery(0, 0, None, NOW_NS)
    assert running.follow_recovery(1, 0, None, NOW_NS)
    assert state(running) is TraderState.QUARANTINED
    assert line(running)["reason"] == "it failed too often: `tickflag circuits alpha`"
    server.newest.end()
    running.step(NOW_NS)
    assert not running.follow_recovery(1, 0, None, NOW_NS)
    assert running.follow_recovery(0, 1, None, NOW_NS)
    load_newest(running, server)
    assert state(running) is TraderState.RUNNING


def test_an_edit_ends_a_quarantine(running: ManagedTrader, server: FakeForkServer) -> None:
    """The edit may mend the fault; the same quarantine does not count again."""
    running.follow_recovery(1, 0, None, NOW_NS)
    running.reload(assigned(), NOW_NS)
    assert state(running) is TraderState.RUNNING
    assert not running.follow_recovery(1, 0, None, NOW_NS)


def test_a_fresh_start(running: ManagedTrader, server: FakeForkServer) -> None:
    """Another worker starts, without what the old one had."""
    running.follow_recovery(0, 3, None, NOW_NS)
    assert running.follow_recovery(0, 4, None, NOW_NS)
    assert server.processes[0].exitcode == -9
    load_newest(running, server)
    assert server.newest.words() == ["load", "go"]
    assert not server.newest.received[-1]["inherits"]


# The trader uses more than it should.


def test_names_that_are_no_symbols_are_told(running: ManagedTrader, server: FakeForkServer, log: RecordedLog) -> None:
    """They are on the roster while that is so, beside an excess; the log has them once."""
    server.newest.say("slow", remark="slow")
    for remark in ("no x", "no x", ""):
        server.newest.say("absent", remark=remark)
        running.step(0)
        assert running.roster_entry("rsi").reason == "; ".join(filter(None, ("slow", remark)))
    told = [fields["reason"] for _, event, fields in log.lines if event == "trader names symbols that are not there"]
    assert told == ["no x"]


def test_an_excess_is_told(running: ManagedTrader, server: FakeForkServer, log: RecordedLog) -> None:
    """The roster reports it for as long as it lasts, the log once a minute at most."""
    for remark, now_ns in (("slow", 0), ("slower", 1), ("", 2), ("slow", WARN_AGAIN_NS)):
        server.newest.say("slow", remark=remark)
        assert running.step(NOW_NS + now_ns)
        assert line(running)["reason"] == remark
        assert not running.step(NOW_NS + now_ns)
    warnings = [fields["reason"] for level, _, fields in log.lines if level == "warning"]
    assert warnings == ["slow", "slow"]


def test_a_worker_that_the_collector_ignores_starts_anew_above(running: ManagedTrader, server: FakeForkServer) -> None:
    """The collector knows a later incarnation, by a clock that was ahead or a forged message. The next worker lies
    above it, and the repeated control state asks for no other one."""
    incarnation = running.workers.incarnation
    assert not running.follow_recovery(0, 0, incarnation, NOW_NS)
    assert running.follow_recovery(0, 0, 1 << 62, NOW_NS)
    assert not running.follow_recovery(0, 0, 1 << 62, NOW_NS)  # its worker is not running yet
    load_newest(running, server)
    assert running.workers.incarnation > 1 << 62
    assert not running.follow_recovery(0, 0, 1 << 62, NOW_NS)
