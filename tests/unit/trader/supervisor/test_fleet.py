"""Fleet: which traders run, what operators and recovery may order for them, and which trader gets a name."""

from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import cast

import pytest

from tests.support.harnesses.fake_fork_server import FakeForkServer, FakeProcess
from tests.support.stand_ins.recorded_log import RecordedLog
from tests.unit.trader.supervisor.conftest import assigned
from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.messages import Control
from tickflag.services.trader.supervisor.fleet import Fleet
from tickflag.services.trader.supervisor.managed_trader import ManagedTrader
from tickflag.services.trader.supervisor.saved_traders import SavedTraders
from tickflag.services.trader.supervisor.trader_state import TraderState

NOW_NS = 1_000_000_000_000
A, B = assigned("a"), assigned("b")


class Fleets:
    """Makes the fleets of one start of the service after the other, over the same file of saved traders."""

    def __init__(self, settings: Settings, runtime: Runtime, server: FakeForkServer) -> None:
        self._settings, self._runtime, self._server = settings, runtime, server
        self.made: list[Fleet] = []

    def __call__(self) -> Fleet:
        saved, log = SavedTraders(self._runtime.folder / "traders.json"), cast(Logger, RecordedLog())
        fleet = Fleet(self._settings, self._runtime, cast(ForkServerContext, self._server), saved, log)
        self.made.append(fleet)
        return fleet


@pytest.fixture
def fleets(settings: Settings, runtime: Runtime, server: FakeForkServer) -> Iterator[Fleets]:
    fleets = Fleets(settings, runtime, server)
    yield fleets
    for fleet in fleets.made:
        fleet.kill()
        fleet.kill()


@pytest.fixture
def fleet(fleets: Fleets) -> Fleet:
    """A fleet without a trader."""
    return fleets()


def states(fleet: Fleet) -> dict[str, str]:
    return {entry.name: entry.state for entry in fleet.roster()}


def reason(fleet: Fleet, name: str) -> str:
    return next(entry.reason for entry in fleet.roster() if entry.name == name)


def run_all(fleet: Fleet, server: FakeForkServer) -> None:
    """Let each process that has only got the word `load` report the name of its file, in upper case."""
    for process in server.processes:
        if process.exitcode is None and process.words() == ["load"]:
            process.load(Path(process.received[0]["spec"]["source"]).stem.upper())
    assert fleet.step(NOW_NS)


def run_all_of(fleet: Fleet, server: FakeForkServer) -> None:
    """Give the fleet the trader A, and let it run."""
    fleet.follow_catalog([A])
    run_all(fleet, server)


def process_of(server: FakeForkServer, stem: str) -> FakeProcess:
    """The newest process of a file."""
    return next(process for process in reversed(server.processes) if process.name == f"trader-{stem}")


def control(**fields: dict[str, int]) -> Control:
    return Control(state_version=1, time_ms=1, **fields)  # type: ignore[arg-type]


def test_it_runs_what_the_catalog_has(fleet: Fleet, server: FakeForkServer) -> None:
    """New traders are started, removed ones end and leave the roster at once, the others are left alone."""
    assert (len(fleet), fleet.alive, fleet.complete, fleet.roster()) == (0, False, True, [])
    fleet.follow_catalog([A])
    assert (len(fleet), fleet.alive, fleet.complete, states(fleet)) == (1, True, False, {"a": "running"})
    run_all(fleet, server)
    assert (fleet.complete, states(fleet)) == (True, {"A": "running"})
    fleet.follow_catalog([A, B])
    run_all(fleet, server)
    assert len(server.processes) == 2
    fleet.follow_catalog([B])
    assert states(fleet) == {"B": "running"}
    assert process_of(server, "a").words() == ["stop"]
    assert fleet.due_ns()
    assert len(fleet.descriptors()) == 6
    process_of(server, "a").end()
    assert fleet.step(NOW_NS)
    assert len(fleet.descriptors()) == 3
    assert not fleet.step(NOW_NS)


def test_a_stop_while_traders_are_started(fleet: Fleet, server: FakeForkServer) -> None:
    """The other traders are not started, as each may have to wait for a fork server. All are on the roster, so none is
    retired."""
    fleet.follow_catalog([A, B], stopping=lambda: len(server.processes) == 1)
    assert [process.name for process in server.processes] == ["trader-a"]
    assert states(fleet) == {"a": "running", "b": "stopped"}


@pytest.mark.parametrize("what", ["assignment", "file", "helper", "nothing"])
def test_what_changed_is_loaded_anew(fleet: Fleet, server: FakeForkServer, what: str) -> None:
    """Changed settings, a changed file or a changed helper load another worker beside the running one."""
    fleet.follow_catalog([A])
    server.newest.load("A", helpers=("/traders/_helper.py",))
    fleet.step(NOW_NS)
    changed = {"file": Path("/traders/a.py"), "helper": Path("/traders/_helper.py")}.get(what, Path("/traders/_x.py"))
    assignment = assigned("a", settings={"period": 3}) if what == "assignment" else A
    fleet.follow_catalog([assignment], [changed])
    assert len(server.processes) == (1 if what == "nothing" else 2)


def test_what_settings_disable_does_not_run(fleet: Fleet, server: FakeForkServer) -> None:
    """The trader does not run until the settings enable it; nobody waits for its name."""
    fleet.follow_catalog([assigned("a", enabled=False)])
    assert (states(fleet), fleet.complete, server.processes) == ({"a": "disabled"}, True, [])
    assert reason(fleet, "a") == "`enabled` is false"
    fleet.follow_catalog([A])
    run_all(fleet, server)
    assert states(fleet) == {"A": "running"}
    fleet.follow_catalog([assigned("a", enabled=False)])
    assert states(fleet) == {"A": "disabled"}


def test_an_operator_counts_more_than_settings(fleets: Fleets, server: FakeForkServer) -> None:
    """The operator's order outlives a start of the service; a name that was declared once is remembered."""
    fleet = fleets()
    fleet.follow_catalog([A, assigned("b", enabled=False)])
    run_all(fleet, server)
    fleet.disable(fleet.by_name()["A"])
    fleet.enable(fleet.by_name()["b"])
    run_all(fleet, server)
    assert states(fleet) == {"A": "disabled", "B": "running"}
    fleet.kill()
    fleet = fleets()
    fleet.follow_catalog([A, assigned("b", enabled=False)])
    assert states(fleet) == {"A": "disabled", "B": "running"}
    assert reason(fleet, "A") == "by an operator"
    fleet.follow_catalog([assigned("a", settings={"period": 3}), assigned("b", enabled=False)])
    assert states(fleet)["A"] == "disabled"


def test_recovery_orders_are_for_those_who_own_their_name(fleets: Fleets, server: FakeForkServer) -> None:
    """A trader whose name is only remembered may turn out to be another one, so it gets no order."""
    run_all_of(fleets(), server)
    fleet = fleets()
    fleet.follow_catalog([A])
    assert states(fleet) == {"A": "running"}
    assert not fleet.follow_control(control(quarantined={"A": 1}))
    run_all(fleet, server)
    assert fleet.follow_control(control(quarantined={"A": 1}))


def test_the_name_of_a_removed_file_is_forgotten(fleets: Fleets, server: FakeForkServer) -> None:
    """Another file of that label is another trader."""
    fleet = fleets()
    run_all_of(fleet, server)
    fleet.follow_catalog([])
    fleet.follow_catalog([A])
    assert states(fleet) == {"a": "running"}
    assert not fleet.complete


def test_a_stop_lasts_until_further_notice(fleet: Fleet, server: FakeForkServer) -> None:
    """An edit does not start what was stopped; `start` and `restart` do."""
    fleet.follow_catalog([A])
    run_all(fleet, server)
    trader = fleet.by_name()["A"]
    for start in (fleet.start, fleet.restart):
        fleet.stop(trader)
        server.newest.end()
        fleet.step(NOW_NS)
        fleet.follow_catalog([A], [Path("/traders/a.py")])
        assert states(fleet) == {"A": "stopped"}
        start(trader)
        run_all(fleet, server)
        assert states(fleet) == {"A": "running"}
    fleet.restart(trader)
    assert trader.busy
    assert len([process for process in server.processes if process.exitcode is None]) == 2


def test_what_is_disabled_must_be_enabled(fleet: Fleet) -> None:
    """Every other command is refused and names the command to use."""
    fleet.follow_catalog([A])
    trader = fleet.by_name()["a"]
    fleet.disable(trader)
    for order in (fleet.start, fleet.stop, fleet.restart):
        with pytest.raises(TickflagError, match="trader 'a' is disabled: `tickflag trader enable a`"):
            order(trader)


def test_a_quarantine_must_be_released(fleet: Fleet, server: FakeForkServer) -> None:
    """Recovery releases it; operators may stop or disable the trader meanwhile."""
    fleet.follow_catalog([A, B])
    assert not fleet.follow_control(control(quarantined={"a": 1}))  # no trader has that name
    run_all(fleet, server)
    assert fleet.follow_control(control(quarantined={"A": 1}))
    assert states(fleet) == {"A": "quarantined", "B": "running"}
    trader = fleet.by_name()["A"]
    for order in (fleet.start, fleet.restart, fleet.enable):
        with pytest.raises(TickflagError, match="trader 'A' is quarantined: `tickflag trader release A`"):
            order(trader)
    assert fleet.follow_control(control(fresh={"A": 1}))
    assert states(fleet)["A"] == "running"
    fleet.follow_control(control(quarantined={"A": 2}))
    fleet.stop(trader)
    assert trader.state is TraderState.STOPPED


def test_ends_are_told_once(fleet: Fleet, server: FakeForkServer) -> None:
    """Each end is reported with the trader's name."""
    fleet.follow_catalog([A, B])
    run_all(fleet, server)
    process_of(server, "b").end(5)
    fleet.step(NOW_NS)
    assert [(ended.trader, ended.reason) for ended in fleet.drain_exits()] == [("B", "ended with status 5")]
    assert fleet.drain_exits() == []


def test_limits_are_enforced(fleet: Fleet, server: FakeForkServer) -> None:
    """The limits hold for every worker process."""
    fleet.follow_catalog([A])
    server.newest.activity.begin(1)
    fleet.enforce_limits(server.newest.activity.began_ns + (1 << 40))
    server.newest.end(-6)
    fleet.step(NOW_NS)
    assert reason(fleet, "a") == "loading took longer than 1 s (`trader.deadline_s`)"


def test_all_are_stopped_together(fleet: Fleet, server: FakeForkServer) -> None:
    """Running traders are stopped; traders that were stopped before keep their reason."""
    fleet.follow_catalog([A, B])
    run_all(fleet, server)
    fleet.stop(fleet.by_name()["A"])
    process_of(server, "a").end()
    fleet.step(NOW_NS)
    fleet.stop_all()
    assert (reason(fleet, "A"), reason(fleet, "B")) == ("by an operator", "")
    process_of(server, "b").end()
    fleet.step(NOW_NS)
    assert not fleet.alive


# Names.


def test_the_first_in_order_gets_the_name(fleet: Fleet, server: FakeForkServer) -> None:
    """However fast the others load, they are skipped, and named by their labels."""
    fleet.follow_catalog([A, B])
    process_of(server, "b").load("same")
    fleet.step(NOW_NS)
    assert states(fleet) == {"a": "running", "same": "running"}
    process_of(server, "a").load("same")
    fleet.step(NOW_NS)
    assert states(fleet) == {"same": "running", "b.py": "skipped"}
    owner = fleet.by_name()["same"]
    assert owner.assignment == A
    assert process_of(server, "b").exitcode == -9


def test_a_later_one_is_refused(fleet: Fleet, server: FakeForkServer) -> None:
    """The later trader starts again when the name is free."""
    fleet.follow_catalog([A, B])
    for stem in "ab":
        process_of(server, stem).load("same")
    fleet.step(NOW_NS)
    refused = next(trader for trader in fleet.by_name().values() if trader.assignment == B)
    assert refused.state is TraderState.SKIPPED
    assert refused.refused_name == "same"
    assert "b.py: the name 'same' is already that of a.py" in [entry.reason for entry in fleet.roster()]
    count = len(server.processes)
    fleet.follow_catalog([B])
    process_of(server, "a").end()
    fleet.step(NOW_NS)
    assert len(server.processes) == count + 1
    process_of(server, "b").load("same")
    fleet.step(NOW_NS)
    assert states(fleet) == {"same": "running"}


def test_nobody_takes_a_name_later(fleet: Fleet, server: FakeForkServer) -> None:
    """A new version that claims the name of another trader is refused, though its file comes first in order."""
    fleet.follow_catalog([A, B])
    run_all(fleet, server)
    fleet.follow_catalog([A, B], [Path("/traders/a.py")])
    process_of(server, "a").load("B")
    fleet.step(NOW_NS)
    assert states(fleet) == {"A": "running", "B": "running"}
    assert reason(fleet, "A") == "new version refused: a.py: the name 'B' is already that of b.py"


def test_every_trader_has_a_line_of_its_own(fleet: Fleet, server: FakeForkServer) -> None:
    """A trader without a name is listed by its file, or by its label where the file's name is that of another
    trader."""
    fleet.follow_catalog([A, B])
    process_of(server, "a").load("b")
    fleet.step(NOW_NS)
    named: dict[str, ManagedTrader] = fleet.by_name()
    assert {name: trader.assignment for name, trader in named.items()} == {"b": A, "b.py": B}
