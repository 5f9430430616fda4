"""What the supervisor's tests share: a runtime folder, settings, a log, and worker processes played by the test."""

from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.harnesses.fake_fork_server import FakeForkServer
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.manual_clock import ManualClock
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings, load
from tickflag.common.units import NS_PER_MS
from tickflag.services.trader.evaluation.plugin.catalog import Assignment
from tickflag.services.trader.incarnations import Incarnations
from tickflag.services.trader.supervisor.managed_trader import ManagedTrader
from tickflag.services.trader.supervisor.saved_traders import SavedTraders
from tickflag.services.trader.supervisor.trader_state import TraderState
from tickflag.services.trader.supervisor.trader_workers import TraderWorkers
from tickflag.services.trader.supervisor.worker_pool import WorkerPool

NOW_NS = 1_000_000 * NS_PER_MS
RESTART_MS, RESTART_LIMIT_MS = 200.0, 500.0
RESTART_NS, RESTART_LIMIT_NS = int(RESTART_MS * NS_PER_MS), int(RESTART_LIMIT_MS * NS_PER_MS)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime folder with the folder of the logs."""
    with runtime_folder() as runtime:
        runtime.logs.mkdir()
        yield runtime


@pytest.fixture
def settings(runtime: Runtime) -> Settings:
    return load(
        trader={"restart_ms": RESTART_MS, "restart_limit_ms": RESTART_LIMIT_MS, "deadline_s": 1},
        runtime={"root": str(runtime.folder.parent)},
        instance=runtime.folder.name,
    )


@pytest.fixture
def log() -> RecordedLog:
    return RecordedLog()


@pytest.fixture
def server() -> FakeForkServer:
    """The fork server, whose processes the test plays."""
    return FakeForkServer()


@pytest.fixture
def pool(settings: Settings, server: FakeForkServer) -> WorkerPool:
    return WorkerPool(settings, cast(ForkServerContext, server))


def assigned(stem: str = "alpha", **fields: object) -> Assignment:
    """The assignment of the trader file `stem.py`."""
    return Assignment(f"{stem}.py", stem, Path(f"/traders/{stem}.py"), **fields)  # type: ignore[arg-type]


@pytest.fixture
def trader(
    settings: Settings, runtime: Runtime, pool: WorkerPool, log: RecordedLog, tmp_path: Path
) -> Iterator[ManagedTrader]:
    """The trader of the file alpha.py, never started yet."""
    incarnations = Incarnations(SavedTraders(tmp_path / "traders.json"), ManualClock(1_000_000_000))
    workers = TraderWorkers(pool, runtime.logs, incarnations)
    trader = ManagedTrader(assigned(), "", settings, workers, cast(Logger, log))
    yield trader
    trader.kill()


@pytest.fixture
def running(trader: ManagedTrader, server: FakeForkServer) -> ManagedTrader:
    """The same trader, running as `alpha`."""
    trader.start(NOW_NS)
    load_newest(trader, server)
    assert server.newest.words() == ["load", "go"]
    return trader


def load_newest(trader: ManagedTrader, server: FakeForkServer, name: str = "alpha", version: str = "1") -> None:
    """Let the trader's newest worker load, and give it the name that it claims."""
    server.newest.load(name, version=version)
    assert trader.step(NOW_NS)
    assert trader.workers.requested_name == name
    trader.grant_name()
    assert trader.workers.requested_name == ""


def state(trader: ManagedTrader) -> TraderState:
    return trader.state


def line(trader: ManagedTrader) -> dict[str, Any]:
    return trader.roster_entry(trader.name or "?").model_dump()
