"""Clients that connect without end, or send what has no end, at every socket of the engine at the same time."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import psutil
import pytest

from tests.support.harnesses.engine import SERVICES, Engine, write_trader
from tests.support.harnesses.keyring import Keyring
from tests.support.markets.ledger import BY_ARRAY
from tests.support.processes.flooder import KINDS, Flooder
from tickflag.common.wire import sockets

GROWTH_BYTES = 200 << 20
"""That a service may grow by, some of which it would take anyway."""
SOCKETS = {
    sockets.FEED_COMMANDS_SERVER: "DEALER",
    sockets.EVENTS_OUT: "SUB",
    sockets.TRADER_COMMANDS_SERVER: "DEALER",
    sockets.COMMANDS_SERVER: "DEALER",
    sockets.RESULTS_IN: "PUSH",
    sockets.CONTROL_OUT: "SUB",
    sockets.SIGNALS_OUT: "SUB",
}
"""Socket -> what connects to it."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with all its ports, and a market that never ends."""
    folder = tmp_path_factory.mktemp("floods")
    keyring = Keyring(folder)
    env = {
        "TICKFLAG_SYNTHETIC__RATE": "500",
        "TICKFLAG_COLLECTOR__METRICS_PORT": "19464",
        "TICKFLAG_REMOTE__COMMANDS": "tcp://127.0.0.1:*",
        "TICKFLAG_REMOTE__SIGNALS": "tcp://127.0.0.1:*",
        "TICKFLAG_REMOTE__SERVER_KEY": str(keyring.secret_file()),
        "TICKFLAG_REMOTE__ALLOWED": str(keyring.allowed),
    }
    write_trader(folder / "traders", "busy", BY_ARRAY)
    with Engine(folder, env, folder / "traders") as engine:
        engine.start()
        engine.wait_ready()
        yield engine


def _places(engine: Engine) -> list[tuple[str, str]]:
    """Every path and port, and what connects to it."""
    about = engine.request("collector", "status")["collector"]
    ports = [about["metrics"].rpartition(":")[2].partition("/")[0]]
    ports += [about[name].rpartition(":")[2] for name in ("remote_commands", "remote_signals")]
    folder = engine.runtime.folder
    local = [(str(folder / role.endpoint), kind) for role, kind in SOCKETS.items()]
    return [*local, *zip(ports, ("HTTP", "DEALER", "SUB"), strict=True)]


def _last_seq(engine: Engine) -> int:
    number: int = engine.request("collector", "status")["collector"]["last_seq"]
    return number


def _has_more_signals(engine: Engine, seq: int) -> bool:
    return _last_seq(engine) > seq


@pytest.mark.parametrize("kind", [kind.__name__ for kind in KINDS])
def test_a_flood_at_every_socket(engine: Engine, kind: str) -> None:
    """Signals flow, every service answers, none grows without bound, and none ends."""
    before = {service: psutil.Process(engine.pid(service)).memory_info().rss for service in SERVICES}
    with ExitStack() as stack:
        floods = [Flooder(kind, place, of) for place, of in _places(engine)]
        for flood in floods:
            stack.callback(flood.close)
        for _ in range(2):  # while they send, and when they have sent all
            seq = _last_seq(engine)
            engine.wait(partial(_has_more_signals, engine, seq), what="signals flow")
            assert engine.request("feed", "status")["symbols"]
            assert engine.request("trader", "traders")[0]["state"] == "running"
            while floods:
                floods.pop().wait()
        for service in SERVICES:
            assert psutil.Process(engine.pid(service)).memory_info().rss < before[service] + GROWTH_BYTES, service
    for service in SERVICES:
        assert engine.alive(service)
        assert "Traceback" not in engine.output(service)
        told = [line for line in engine.output(service).splitlines() if "hung up" in line and "socket=" in line]
        assert len({line.rpartition("socket=")[2] for line in told}) == len(told), "once a minute for each socket"
