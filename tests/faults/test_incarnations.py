"""Workers are heard again, whatever number of a worker the collector was told of before."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.support.harnesses.engine import MATCH_ALL, READY_S, Engine, write_trader
from tests.support.processes.libfaketime import faked_clock
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import Heartbeat
from tickflag.common.wire.sockets import RESULTS_OUT, Context, open_socket, try_send

SETTINGS = {
    "TICKFLAG_TRADER__HEARTBEAT_MS": "200",
    "TICKFLAG_COLLECTOR__HEARTBEAT_MS": "100",
    "TICKFLAG_COLLECTOR__STALE_AFTER_MS": "1000",
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    plugins = tmp_path / "traders"
    write_trader(plugins, "all", MATCH_ALL)
    with Engine(tmp_path, SETTINGS, plugins) as engine:
        yield engine


def known(engine: Engine) -> int:
    """The incarnation of the trader that the collector hears now."""

    def heard() -> bool:
        one = engine.trader("all")
        return bool(one["synced"]) and one["state"] == "running"

    engine.wait(heard, READY_S, "the trader is heard")
    return int(engine.trader("all")["incarnation"])


def test_a_clock_that_was_ahead(engine: Engine) -> None:
    """All ran with a clock a year ahead, and lost the file of the last life. With the right clock the trader is
    ignored, said to be, and starts anew above; the same after each further start."""
    engine.start(env=faked_clock("+365d"))
    ahead = known(engine)
    for service in ("trader", "feed", "collector"):
        engine.stop(service)
    (engine.root / "test" / "traders.json").unlink()
    engine.start()
    assert known(engine) > ahead
    assert "trader ignored" in engine.output("collector")
    assert "worker was ignored" in engine.output("trader")
    engine.stop("trader")
    engine.start("trader")
    engine.wait(lambda: engine.trader("all")["incarnation"] > ahead + 1, READY_S, "the next life is heard")
    assert engine.output("trader").count("worker was ignored") == 1


@pytest.mark.parametrize("above", [1 << 40, 1 << 62])
def test_one_forged_message(engine: Engine, above: int) -> None:
    """A message of a later incarnation makes the worker unheard for seconds; one far above is dropped."""
    engine.start()
    before = known(engine)
    context: Context = zmq.Context()
    with contextlib.closing(open_socket(context, engine.runtime, RESULTS_OUT)) as results:
        forged = Heartbeat(trader="all", incarnation=before + above, seq=0, cycle=0, time_ms=0, pid=1, state="running")
        engine.wait(lambda: try_send(results, encode(forged)), READY_S, "the collector takes it")
        if above == 1 << 62:

            def ignored() -> bool:
                return bool(engine.request("collector", "status")["collector"]["ignored_messages"])

            engine.wait(ignored, READY_S, "it is ignored")
            assert known(engine) == before
        else:
            engine.wait(lambda: engine.trader("all")["incarnation"] > before + above, READY_S, "heard again")
            assert known(engine) > before + above
    context.destroy(linger=0)
