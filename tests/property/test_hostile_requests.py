"""Whatever a command socket receives, its service answers on; only a right command that changes something does so."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.processes.folders import runtime_folder
from tests.support.processes.hostile import COLLECTOR, DAMAGED, SUPERVISOR, FakeRouter, frames, of_other_types, request
from tests.support.stand_ins.manual_clock import ManualClock
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.errors import MessageError
from tickflag.common.log import Logger
from tickflag.common.wire.responder import Responder
from tickflag.common.wire.sockets import (
    TRADER_COMMANDS_CLIENT,
    TRADER_COMMANDS_SERVER,
    Context,
    Socket,
    open_socket,
    reveal,
)
from tickflag.services.collector.commands import CollectorCommands
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.flags.commands import FlagCommands
from tickflag.services.collector.flags.feature_flags import FeatureFlags
from tickflag.services.collector.flags.flag_store import FlagStore
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import NoticeQueue
from tickflag.services.collector.views.views import Views
from tickflag.services.trader.supervisor.commands import SupervisorCommands
from tickflag.services.trader.supervisor.fleet import Fleet
from tickflag.services.trader.supervisor.managed_trader import ManagedTrader

CHANGING = {"resync", *(what for what in COLLECTOR if what.startswith("flags."))} - {
    "flags.list", "flags.explain", "flags.history",
}  # fmt: skip


class CommandSocketHarness:
    """The collector's commands behind a socket, with a trader that has reported."""

    def __init__(self, folder: Path) -> None:
        self.control = ControlState()
        self.views = Views(self.control.resync, 5_000_000_000)
        self.journal = Journal(":memory:")
        clock = ManualClock(1_000_000_000_000)
        trader = FakeTrader()
        trader.matches = {"A": 1.0}
        signals = self.views.apply(trader.snapshot(), 0)
        self.journal.commit(signals, (), self.control.version)
        self.store = FlagStore(folder / "flags.json")
        log = cast(Logger, RecordedLog())
        flags = FeatureFlags(self.store, self.views, NoticeQueue(clock), self.control, clock, log, {})
        others = FlagCommands(flags, clock).commands
        commands = CollectorCommands(self.views, self.journal, self.control, clock, dict, others)
        self.router = FakeRouter()
        self.dropped: list[MessageError] = []
        self.responder = Responder(cast(Socket, self.router), commands.answer, self.dropped.append, 8)

    def state(self) -> Any:
        """All that a command could change."""
        matches = {name: dict(record.view.matches) for name, record in self.views.records.items()}
        signals = self.journal.signals(0, 100)
        return self.store.document, self.control.document(0), self.journal.load(), signals, matches, self.views.names()

    def send(self, *parts: bytes) -> list[str]:
        """The error of each reply; empty where the command was carried out."""
        self.router.put(*parts)
        assert self.responder.step() == 1
        return [reply.error for reply in self.router.take()]


@contextmanager
def collector() -> Iterator[CommandSocketHarness]:
    with tempfile.TemporaryDirectory() as folder:
        harness = CommandSocketHarness(Path(folder))
        yield harness
        harness.journal.close()


@settings(deadline=None, max_examples=200)
@given(st.lists(frames(COLLECTOR), min_size=1, max_size=10))
def test_the_collector_takes_anything(sent: list[bytes]) -> None:
    """A frame is answered once, or counted. Without a success nothing has changed, and the next request is answered."""
    with collector() as harness:
        for frame in sent:
            before, dropped = harness.state(), len(harness.dropped)
            errors = harness.send(frame)
            assert len(errors) + len(harness.dropped) - dropped == 1
            if errors != [""]:
                assert harness.state() == before
        assert harness.send(request("status", {})) == [""]


def test_arguments_of_other_types_are_refused() -> None:
    """A value of another type is refused, for every command and argument; nothing changes."""
    with collector() as harness:
        assert harness.send(request("flags.ramp", {"flag": "audit", "steps": [[5, 10, False], [50, 10, True]]})) == [""]
        before = harness.state()
        for what, arguments in of_other_types(COLLECTOR):
            errors = harness.send(request(what, arguments))
            assert len(errors) == 1, (what, arguments)
            assert errors != [""], (what, arguments)
            assert harness.state() == before, (what, arguments)
        assert not harness.dropped


def test_commands_that_only_look_change_nothing() -> None:
    """All other commands change something, or say why not: the harness of the hostile requests really reacts."""
    with collector() as harness:
        for what in COLLECTOR.keys() - CHANGING:
            before = harness.state()
            assert harness.send(request(what, COLLECTOR[what])) == [""]
            assert harness.state() == before
        error = harness.send(request("?", {}))[0]
        assert error.endswith(f"use one of {', '.join(COLLECTOR)}")
        for what in ("resync", "flags.set", "flags.force", "flags.kill", "flags.remove"):
            before = harness.state()
            assert harness.send(request(what, COLLECTOR[what])) == [""]
            assert harness.state() != before


@pytest.mark.parametrize("parts", [(b"", b"", b""), (b"x", b""), (b"",) * 1_000], ids=["two", "named", "many"])
def test_a_request_is_one_frame(parts: tuple[bytes, ...]) -> None:
    """A request follows no empty frame or one. With other frames before it, it is counted and not answered."""
    with collector() as harness:
        good = request("status", {})
        assert harness.send(*parts, good) == []
        assert len(harness.dropped) == 1
        assert harness.send(good) == harness.send(b"", good) == [""]


# --- the supervisor


class StubFleet:
    """One trader; records the orders for it."""

    def __init__(self) -> None:
        self.ordered: list[str] = []
        for order in ("start", "stop", "restart", "enable", "disable"):
            setattr(self, order, lambda _trader, order=order: self.ordered.append(order))

    def by_name(self) -> dict[str, ManagedTrader]:
        return {"by-array": cast(ManagedTrader, StubTrader())}


class StubTrader:
    class assignment:  # noqa: N801 - an attribute of the real one
        label = "by_array.py"

    busy = False

    def roster_entry(self, name: str) -> Any:
        from tickflag.common.wire.messages import RosterEntry

        return RosterEntry(name=name, state="running")


@pytest.fixture
def supervisor() -> Iterator[tuple[SupervisorCommands, StubFleet, Socket]]:
    context: Context = zmq.Context()
    with runtime_folder() as runtime:
        fleet = StubFleet()
        commands = SupervisorCommands(context, runtime, cast(Fleet, fleet), False)
        reveal(commands.socket, TRADER_COMMANDS_SERVER.endpoint)
        client = open_socket(context, runtime, TRADER_COMMANDS_CLIENT)
        yield commands, fleet, client
        client.close(0)
        commands.close()
        context.term()


def test_the_supervisor_takes_anything(supervisor: tuple[SupervisorCommands, StubFleet, Socket]) -> None:
    """What is no request gets no answer, a wrong request gets a refusal; nothing is ordered. Right requests are carried
    out."""
    commands, fleet, client = supervisor

    def turn() -> None:
        assert commands.socket.poll(10_000)
        commands.step()

    for frame in DAMAGED:
        client.send(frame)
        turn()
    for what, arguments in of_other_types(SUPERVISOR):
        client.send(request(what, arguments))
        turn()
    assert fleet.ordered == []
    client.send(request("stop", {"trader": "by-array"}))
    turn()
    assert fleet.ordered == ["stop"]
