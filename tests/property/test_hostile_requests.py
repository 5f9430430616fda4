"""Whatever comes to a command socket, its service answers on, and only a right command that changes something does."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import ReplayClock
from common.errors import MessageError
from common.log import Logger
from common.responder import Responder
from common.sockets import TRADER_COMMANDS_CLIENT, Context, Socket, open_socket
from services.collector.commands import Commands
from services.collector.control import ControlState
from services.collector.flagdesk import FlagDesk
from services.collector.flagstore import FlagStore
from services.collector.journal import Journal
from services.collector.views import Views
from services.trader.child import Child
from services.trader.commands import Commands as SupervisorCommands
from services.trader.fleet import Fleet
from tests.support.fake_trader import FakeTrader
from tests.support.folders import runtime_folder
from tests.support.hostile import COLLECTOR, DAMAGED, SUPERVISOR, Router, frames, of_other_types, request
from tests.support.recorded_log import RecordedLog

CHANGING = {"resync", *(what for what in COLLECTOR if what.startswith("flags."))} - {
    "flags.list", "flags.explain", "flags.history",
}  # fmt: skip


class Desk:
    """The collector's commands behind a socket, with a trader that reported."""

    def __init__(self, folder: Path) -> None:
        self.control = ControlState()
        self.views = Views(self.control, 5_000_000_000)
        self.journal = Journal(":memory:")
        clock = ReplayClock(1_000_000_000_000)
        trader = FakeTrader()
        trader.matches = {"A": 1.0}
        drafts = self.views.apply(trader.snapshot(), 0)
        self.journal.commit(drafts, (), self.control.version)
        self.store = FlagStore(folder / "flags.json")
        log = cast(Logger, RecordedLog())
        desk = FlagDesk(self.store, self.views, self.control, clock, log, {})
        commands = Commands(self.views, self.journal, self.control, clock, dict, desk.commands)
        self.router = Router()
        self.dropped: list[MessageError] = []
        self.responder = Responder(cast(Socket, self.router), commands.answer, self.dropped.append, 8)

    def state(self) -> Any:
        """All that a command could change."""
        matches = {name: dict(known.view.matches) for name, known in self.views.known.items()}
        signals = self.journal.signals(0, 100)
        return self.store.document, self.control.document(0), self.journal.load(), signals, matches, self.views.names()

    def send(self, *parts: bytes) -> list[str]:
        """The error of each reply, empty where it was carried out."""
        self.router.put(*parts)
        assert self.responder.step() == 1
        return [reply.error for reply in self.router.take()]


@contextmanager
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        yield desk
        desk.journal.close()


@settings(deadline=None, max_examples=200)
@given(st.lists(frames(COLLECTOR), min_size=1, max_size=10))
def test_the_collector_takes_anything(sent: list[bytes]) -> None:
    """A frame has one answer, or is counted; without a success nothing changed, and the next request is answered."""
    with desk() as one:
        for frame in sent:
            before, dropped = one.state(), len(one.dropped)
            errors = one.send(frame)
            assert len(errors) + len(one.dropped) - dropped == 1
            if errors != [""]:
                assert one.state() == before
        assert one.send(request("status", {})) == [""]


def test_arguments_of_other_types_are_refused() -> None:
    """Of every command and argument, by every value of another type; nothing changes."""
    with desk() as one:
        assert one.send(request("flags.ramp", {"flag": "audit", "steps": [[5, 10, False], [50, 10, True]]})) == [""]
        before = one.state()
        for what, arguments in of_other_types(COLLECTOR):
            errors = one.send(request(what, arguments))
            assert len(errors) == 1, (what, arguments)
            assert errors != [""], (what, arguments)
            assert one.state() == before, (what, arguments)
        assert not one.dropped


def test_commands_that_only_look_change_nothing() -> None:
    """And all others do, or say why not: the list of hostile commands is the real one."""
    with desk() as one:
        for what in COLLECTOR.keys() - CHANGING:
            before = one.state()
            assert one.send(request(what, COLLECTOR[what])) == [""]
            assert one.state() == before
        error = one.send(request("?", {}))[0]
        assert error.endswith(f"use one of {', '.join(COLLECTOR)}")
        for what in ("resync", "flags.set", "flags.force", "flags.kill", "flags.remove"):
            before = one.state()
            assert one.send(request(what, COLLECTOR[what])) == [""]
            assert one.state() != before


@pytest.mark.parametrize("parts", [(b"", b"", b""), (b"x", b""), (b"",) * 1_000], ids=["two", "named", "many"])
def test_a_request_is_one_frame(parts: tuple[bytes, ...]) -> None:
    """Behind none or one that is empty; more of them are not answered."""
    with desk() as one:
        good = request("status", {})
        assert one.send(*parts, good) == []
        assert len(one.dropped) == 1
        assert one.send(good) == one.send(b"", good) == [""]


# --- the supervisor


class StubFleet:
    """Records what was ordered; one trader."""

    def __init__(self) -> None:
        self.ordered: list[str] = []
        for order in ("start", "stop", "restart", "enable", "disable"):
            setattr(self, order, lambda _child, order=order: self.ordered.append(order))

    def shown(self) -> dict[str, Child]:
        return {"by-array": cast(Child, StubChild())}


class StubChild:
    class assignment:  # noqa: N801 - an attribute of the real one
        label = "by_array.py"

    busy = False

    def entry(self, name: str) -> Any:
        from common.messages import RosterEntry

        return RosterEntry(name=name, state="running")


@pytest.fixture
def supervisor() -> Iterator[tuple[SupervisorCommands, StubFleet, Socket]]:
    context: Context = zmq.Context()
    with runtime_folder() as runtime:
        fleet = StubFleet()
        commands = SupervisorCommands(context, runtime, cast(Fleet, fleet), False)
        client = open_socket(context, runtime, TRADER_COMMANDS_CLIENT)
        yield commands, fleet, client
        client.close(0)
        commands.close()
        context.term()


def test_the_supervisor_takes_anything(supervisor: tuple[SupervisorCommands, StubFleet, Socket]) -> None:
    """What is no request has no answer, a wrong one a refusal; nothing is ordered, and right ones are carried out."""
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
