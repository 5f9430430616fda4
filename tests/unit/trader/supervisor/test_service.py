"""Supervisor: the loop of the trader service, with a collector and worker processes played by the test."""

import errno
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import zmq

from tests.support.harnesses.fake_fork_server import FakeForkServer
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.lifecycle import Stop
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import load
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.codec import decode, encode
from tickflag.common.wire.messages import Control, Fault, Roster
from tickflag.common.wire.sockets import CONTROL_OUT, RESULTS_IN, Context, Socket, open_socket, receive, try_send
from tickflag.services.trader.supervisor import service as module
from tickflag.services.trader.supervisor.saved_traders import FILE
from tickflag.services.trader.supervisor.service import Supervisor

DEADLINE_MS = 20_000
Condition = Callable[[], Any]


class Service:
    """A supervisor, with its workers, collector and operators played by the test. `run` gives it a list of
    conditions."""

    def __init__(self, runtime: Runtime, plugins: Path, server: FakeForkServer, **trader: Any) -> None:
        self.server, self.log, self.plugins = server, RecordedLog(), plugins
        self._context: Context = zmq.Context()
        self._results = open_socket(self._context, runtime, RESULTS_IN)
        self.control = open_socket(self._context, runtime, CONTROL_OUT)
        self.rosters: list[Roster] = []
        self.faults: list[Fault] = []
        self.sent = self._heard = 0
        """Messages to the collector."""
        settings = load(
            trader={"plugins": str(plugins), "restart_ms": 50.0, **trader},
            runtime={"root": str(runtime.folder.parent)},
            instance=runtime.folder.name,
        )
        self.supervisor = Supervisor(settings, runtime, self._context, cast(Logger, self.log))

    def send(self, socket: Socket, frame: bytes) -> bool:
        """Stand in for `try_send`: count what was sent."""
        taken = try_send(socket, frame)
        self.sent += taken
        return taken

    def states(self) -> dict[str, str]:
        """The states in the newest roster."""
        return {entry.name: entry.state for entry in self.rosters[-1].traders} if self.rosters else {}

    def run(self, *conditions: Condition) -> None:
        """Run the supervisor until each condition has come true, one after the other; then stop it."""
        self.supervisor.run(cast(Stop, Conditions(self, conditions)))
        while self._heard < self.sent:
            assert self._results.poll(DEADLINE_MS)
            self.hear()

    def hear(self) -> None:
        while (frame := receive(self._results)) is not None:
            message = decode(frame)
            self._heard += 1
            if isinstance(message, Roster):
                self.rosters.append(message)
            elif isinstance(message, Fault):
                self.faults.append(message)

    def close(self) -> None:
        self.supervisor.close()
        self._results.close()
        self.control.close()
        self._context.term()


class Conditions:
    """Stands in for a Stop: the stop is requested when all conditions have come true."""

    def __init__(self, service: Service, conditions: tuple[Condition, ...]) -> None:
        self._service, self._conditions = service, list(conditions)
        self._deadline_s = time.monotonic() + DEADLINE_MS / 1_000
        self._reader, self._writer = os.pipe()
        os.write(self._writer, b"x")  # the service never waits long

    @property
    def requested(self) -> bool:
        assert time.monotonic() < self._deadline_s, (self._service.states(), self._service.log.lines)
        self._service.hear()
        while self._conditions and self._conditions[0]():
            del self._conditions[0]
        if not self._conditions:
            os.close(self._writer)
            os.close(self._reader)
        return not self._conditions

    def fileno(self) -> int:
        return self._reader


Make = Callable[..., Service]


@pytest.fixture
def make(runtime: Runtime, server: FakeForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Start a supervisor with settings of its own, over a folder with the trader file a.py."""
    plugins, config = tmp_path / "traders", tmp_path / "config"
    plugins.mkdir()
    config.mkdir()
    (plugins / "a.py").write_text("1\n")
    monkeypatch.setenv("TICKFLAG_CONFIG", str(config))
    monkeypatch.setattr(multiprocessing, "get_context", lambda _method: server)
    monkeypatch.setattr(module, "CHECK_NS", 20_000_000)
    monkeypatch.setattr(module, "STOP_GRACE_NS", 0)
    made: list[Service] = []

    def make(**trader: Any) -> Service:
        service = Service(runtime, plugins, server, **trader)
        monkeypatch.setattr(module, "try_send", service.send)
        made.append(service)
        return service

    yield make
    for service in made:
        service.close()


def running(service: Service, name: str = "A") -> Condition:
    """Let the trader's newest worker load; true once the roster has the trader running under its name."""

    def condition() -> bool:
        if service.server.processes and service.server.newest.words() == ["load"]:
            service.server.newest.load(name)
        return service.states().get(name) == "running" and bool(service.rosters[-1].traders[0].trader_version)

    return condition


def test_it_runs_and_ends(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The roster lists the trader, and says that all are named. At the end its worker is asked to end, and awaited."""
    monkeypatch.setattr(module, "STOP_GRACE_NS", 1 << 60)
    service = make()

    def end() -> bool:  # ends as after the word `stop`
        service.server.newest.end()
        return True

    service.run(lambda: service.rosters, running(service), end)
    assert service.server.newest.all_words() == ["load", "go", "stop", "drop"]
    assert service.states() == {"A": "stopped"}
    assert (service.rosters[0].complete, service.rosters[-1].complete) == (False, True)
    assert service.rosters[0].pid == os.getpid()
    assert service.log.events()[-1] == "traders stopped"


def test_a_worker_that_does_not_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is killed in the end."""
    monkeypatch.setattr(module, "STOP_GRACE_NS", 100_000_000)
    service = make()
    service.run(running(service))
    assert service.server.newest.all_words() == ["load", "go", "stop", "drop"]
    assert service.server.newest.exitcode == -9
    assert service.states() == {"A": "stopped"}


def test_a_worker_that_ends_is_a_fault(make: Make) -> None:
    """The collector hears how the worker ended; a deadline is told apart from an exit."""
    service = make()

    def end() -> bool:
        service.server.newest.end(3)
        return True

    def overrun() -> bool:
        service.server.newest.activity.begin(1)
        service.server.newest.activity._words[0] = 1  # at work since the beginning of time
        return True

    def ended() -> bool:
        process = service.supervisor._fleet._pool._processes[-1]
        if process.overran:
            service.server.newest.end(-6)
        return len(service.faults) == 2

    service.run(running(service), end, lambda: service.faults, running(service), overrun, ended)
    assert [(fault.trader, fault.what) for fault in service.faults] == [("A", "exit"), ("A", "deadline")]
    assert service.faults[0].text == "ended with status 3"


def test_what_a_worker_writes_is_no_news(make: Make, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is logged at once, and no roster is sent for it."""
    service = make()
    monkeypatch.setattr(module, "CHECK_NS", 60_000_000_000)
    sent = []

    def write() -> bool:
        service.server.newest.write("hello\n")
        sent.append(service.sent)
        return True

    def logged() -> bool:
        sent.append(service.sent)
        return (runtime.logs / "a.log").read_text() == "hello\n"

    service.run(running(service), write, logged)
    assert len(set(sent)) == 1


def test_it_follows_the_control_state(make: Make) -> None:
    """A message that is no control state is ignored."""
    service = make()

    def quarantine() -> bool:
        service.control.send(encode(Control(state_version=1, time_ms=1, quarantined={"A": 1})))
        return service.states() == {"A": "quarantined"}

    sent: list[bytes] = []

    def nonsense() -> bool:
        sent.append(b"nonsense")
        service.control.send(sent[-1])
        return len(sent) > 20

    service.run(running(service), nonsense, quarantine)


def test_it_follows_the_files(make: Make) -> None:
    """A new trader is started; changed settings are read again; wrong settings are refused."""
    service = make()
    config = Path(os.environ["TICKFLAG_CONFIG"]) / "trader.toml"

    def add() -> bool:
        (service.plugins / "b.py").write_text("1\n")
        return True

    def disable() -> bool:
        config.write_text("[traders.b]\nenabled = false\n")
        return True

    def spoil() -> bool:
        config.write_text("[trader]\nnothing = 1\n")
        return True

    service.run(
        running(service), add, lambda: "b" in service.states(),
        disable, lambda: service.states().get("b") == "disabled",
        spoil, lambda: "changed settings refused" in service.log.events(),
    )  # fmt: skip
    assert service.states().keys() == {"A", "b"}


def test_without_reload_files_may_change(make: Make) -> None:
    """Changes start nothing."""
    service = make(reload=False)

    def change() -> bool:
        for stem in "ab":
            (service.plugins / f"{stem}.py").write_text("2\n")
        service.rosters.clear()
        return True

    service.run(running(service), change, lambda: len(service.rosters) > 30)
    assert len(service.server.processes) == 1


def test_safe_mode(make: Make) -> None:
    """No trader is loaded. The roster retires none, as it does not know them."""
    service = make(safe=True)
    service.run(lambda: service.rosters)
    assert service.log.events()[0] == "safe mode"
    assert (service.server.processes, service.states()) == ([], {})
    assert not any(roster.complete for roster in service.rosters)


def test_no_trader(make: Make) -> None:
    """The log says so, with the folder that is searched."""
    service = make()
    (service.plugins / "a.py").unlink()
    service.run(lambda: service.rosters)
    assert service.log.lines[0][1:] == (
        "no traders", {"folder": str(service.plugins), "do": "put a trader file there; see docs"}
    )  # fmt: skip


def test_damaged_saved_traders(make: Make, runtime: Runtime) -> None:
    """The log says so, because a trader that was disabled runs now."""
    (runtime.folder / FILE).write_text("{")
    service = make()
    level, event, fields = service.log.lines[0]
    assert (level, event, fields["do"]) == ("warning", "saved traders are damaged", "disable again what must not run")


def test_what_cannot_be_looked_at_is_told_once_a_minute(make: Make) -> None:
    """A lack lasts, and each check meets it."""
    service = make()
    for second in (1, 2, 30, 62):
        service.supervisor._tell(OSError(errno.EMFILE, "Too many open files"), second * NS_PER_S)
    assert [event for _, event, _ in service.log.lines].count("traders are not watched") == 2
