"""SupervisorCommands: which trader a request means, its answers, and its refusals."""

from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, cast

import pytest
import zmq

from tests.support.harnesses.fake_fork_server import FakeForkServer
from tests.support.stand_ins.recorded_log import RecordedLog
from tests.unit.trader.supervisor.conftest import assigned
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.sockets import TRADER_COMMANDS_CLIENT, TRADER_COMMANDS_SERVER, Context, open_socket, reveal
from tickflag.services.trader.evaluation.plugin.catalog import Assignment
from tickflag.services.trader.supervisor.commands import SupervisorCommands
from tickflag.services.trader.supervisor.fleet import Fleet
from tickflag.services.trader.supervisor.saved_traders import SavedTraders

Ask = Callable[..., Reply]


@pytest.fixture
def fleet(settings: Settings, runtime: Runtime, server: FakeForkServer) -> Iterator[Fleet]:
    saved, log = SavedTraders(runtime.folder / "traders.json"), cast(Logger, RecordedLog())
    fleet = Fleet(settings, runtime, cast(ForkServerContext, server), saved, log)
    yield fleet
    fleet.kill()


@pytest.fixture(params=[False])
def ask(request: pytest.FixtureRequest, runtime: Runtime, fleet: Fleet) -> Iterator[Ask]:
    """Send a request, let the commands answer it, and give the reply. The parameter is safe mode."""
    context: Context = zmq.Context()
    commands = SupervisorCommands(context, runtime, fleet, request.param)
    reveal(commands.socket, TRADER_COMMANDS_SERVER.endpoint)
    client = open_socket(context, runtime, TRADER_COMMANDS_CLIENT)

    def ask(what: str, **arguments: Any) -> Reply:
        client.send(encode(Request(id=1, what=what, arguments=arguments)))
        assert commands.socket.poll(10_000)
        assert commands.step() == 1
        assert client.poll(10_000)
        return decode_as(Reply, client.recv())

    yield ask
    client.close(0)
    commands.close()
    context.term()
    assert not (runtime.folder / TRADER_COMMANDS_SERVER.endpoint).exists()


def run(fleet: Fleet, server: FakeForkServer, *stems: str) -> None:
    """Run traders under the names of their files, in upper case."""
    fleet.follow_catalog([assigned(stem) for stem in stems])
    for stem, process in zip(stems, server.processes, strict=True):
        process.load(stem.upper())
    fleet.step(0)


def test_it_tells_of_itself_and_of_all_traders(fleet: Fleet, server: FakeForkServer, ask: Ask) -> None:
    """The traders come by name, each with its line of the roster and more."""
    assert ask("supervisor").result["safe"] is False
    assert ask("traders").result == []
    run(fleet, server, "b", "a")
    found = ask("traders").result
    assert [line["name"] for line in found] == ["A", "B"]
    assert found[0] == fleet.by_name()["A"].roster_entry("A").model_dump() | {"label": "a.py", "busy": False}


def test_a_trader_by_name_or_label(fleet: Fleet, server: FakeForkServer, ask: Ask) -> None:
    """Either finds the trader; the answer has both."""
    run(fleet, server, "a")
    assert ask("trader", trader="A").result == ask("trader", trader="a.py").result
    assert ask("trader", trader="A").result["label"] == "a.py"


def test_orders_are_carried_out(fleet: Fleet, server: FakeForkServer, ask: Ask) -> None:
    """The answer comes at once; `busy` says that the order is not completed yet."""
    run(fleet, server, "a")
    orders = {"stop": "stopped", "start": "running", "restart": "running", "disable": "disabled", "enable": "running"}
    for what, state in orders.items():
        found = ask(what, trader="A").result
        assert (found["state"], found["busy"]) == (state, True), what
    fleet.disable(fleet.by_name()["A"])
    assert ask("start", trader="A").error == "trader 'A' is disabled: `tickflag trader enable A`"


@pytest.mark.parametrize(
    ("what", "arguments", "error"),
    [
        ("explode", {}, "no command 'explode': use one of supervisor, traders, trader, start, stop, restart, enable,"),
        ("stop", {}, "argument 'trader' of 'stop' is missing"),
        ("stop", {"trader": 7}, "argument 'trader' of 'stop' must be a text, not int"),
        ("stop", {"trader": "A", "x": 1}, "'stop' has no argument 'x'"),
        ("traders", {"trader": "A"}, "'traders' has no argument 'trader'"),
        ("supervisor", {"x": 1}, "'supervisor' has no argument 'x'"),
        ("stop", {"trader": "C"}, "no trader 'C': known are A, B"),
    ],
)
def test_what_is_refused(
    fleet: Fleet, server: FakeForkServer, ask: Ask, what: str, arguments: dict[str, Any], error: str
) -> None:
    """The refusal says what is wrong, and nothing is done."""
    run(fleet, server, "a", "b")
    assert ask(what, **arguments).error.startswith(error)
    assert {entry.state for entry in fleet.roster()} == {"running"}


def test_a_file_that_runs_under_other_names(fleet: Fleet, ask: Ask) -> None:
    """The refusal lists the names under which the file runs."""
    assert ask("stop", trader="rsi.py").error == "no trader 'rsi.py': known are none so far"
    names = ("rsi_slow", "rsi_fast")
    fleet.follow_catalog([Assignment(f"traders.{name}", "rsi", Path("/traders/rsi.py"), name) for name in names])
    assert ask("stop", trader="rsi.py").error == "no trader 'rsi.py': that file runs as rsi_fast, rsi_slow"


@pytest.mark.parametrize("ask", [True], indirect=True)
def test_safe_mode(ask: Ask) -> None:
    """The answer says that safe mode is on, and gives it as the reason why no trader is known."""
    assert ask("supervisor").result["safe"] is True
    assert ask("start", trader="a").error == "no trader 'a': safe mode loads none"
