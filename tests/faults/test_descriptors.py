"""Descriptors run out: a service says so in one line and does not start, or goes on without."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.support.harnesses.engine import SERVICES, Engine, write_trader
from tests.support.harnesses.keyring import Keyring
from tests.support.markets.ledger import BY_ARRAY
from tests.support.processes.commands import PYTHON, run_command, tickflag_command
from tests.support.processes.descriptors import no_more_descriptors, wait_settled
from tests.support.processes.flooder import Flooder

LIMITED = ("sh", "-c", 'ulimit -n "$0" && exec "$@"')


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with one trader and a market that never ends; nothing is started yet."""
    write_trader(tmp_path / "traders", "busy", BY_ARRAY)
    with Engine(tmp_path, {"TICKFLAG_SYNTHETIC__RATE": "500"}, tmp_path / "traders") as engine:
        yield engine


@pytest.mark.parametrize(
    "limit", [40, *(pytest.param(limit, marks=pytest.mark.soak) for limit in (16, 24, 50, 64, 96))]
)
def test_a_start_with_too_few(engine: Engine, limit: int) -> None:
    """Every service, and `tickflag start`, end with one line that names the limit and what to do."""
    commands = [[*PYTHON, "-m", f"tickflag.services.{service}"] for service in SERVICES]
    commands.append(tickflag_command("start"))
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda one: run_command([*LIMITED, str(limit), *one], env=engine.env), commands))
    for command, done in zip(commands, ends, strict=True):
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "Traceback" not in said
        lines = [line for line in said.splitlines() if f"the limit of {limit} open files" in line]
        assert lines, said
        assert all("`ulimit -n 1024`" in line for line in lines)
        assert command[-1] == "start" or said.splitlines() == lines


def _has_more_signals(engine: Engine, seq: int) -> bool:
    return _last_seq(engine) > seq


def _last_seq(engine: Engine) -> int:
    number: int = engine.request("collector", "status")["collector"]["last_seq"]
    return number


def _says(engine: Engine, service: str, words: str) -> bool:
    return words in engine.output(service)


def test_services_that_get_no_more(engine: Engine) -> None:
    """They go on, and signals flow. The trader service says what it cannot do meanwhile, and does it afterwards."""
    engine.start()
    engine.wait_ready()
    with ExitStack() as stack:
        seq = _last_seq(engine)
        wait_settled([engine.pid(service) for service in SERVICES])
        for service in SERVICES:
            stack.enter_context(no_more_descriptors(engine.pid(service)))
        write_trader(engine.plugins, "added", BY_ARRAY)
        engine.wait(lambda: "traders are not watched" in engine.output("trader"), what="the trader service says it")
        with engine.segment() as segment:
            swaps = segment.counters()["swaps"]
            engine.wait(lambda: segment.counters()["swaps"] > swaps, what="the feed goes on")
    engine.wait(partial(_has_more_signals, engine, seq), what="signals flow")
    engine.wait(lambda: engine.matches("added"), what="the trader that was added runs")
    for service in SERVICES:
        assert engine.alive(service)
        assert "Traceback" not in engine.output(service)
    assert engine.output("trader").count("traders are not watched") == 1
    assert "`ulimit -n 1024`" in engine.output("trader")
    assert [engine.stop(service) for service in SERVICES] == [0] * 3


@pytest.mark.parametrize("limit", [128, pytest.param(512, marks=pytest.mark.soak)])
def test_clients_that_never_hang_up(tmp_path: Path, limit: int) -> None:
    """A client at every socket at once, faster than any service can look: all but a share of its connections wait or
    are hung up, others are served, and no service ends."""
    keyring = Keyring(tmp_path)
    env = {
        "TICKFLAG_SYNTHETIC__RATE": "500",
        "TICKFLAG_COLLECTOR__METRICS_PORT": "19464",
        "TICKFLAG_REMOTE__COMMANDS": "tcp://127.0.0.1:*",
        "TICKFLAG_REMOTE__SIGNALS": "tcp://127.0.0.1:*",
        "TICKFLAG_REMOTE__SERVER_KEY": str(keyring.secret_file()),
        "TICKFLAG_REMOTE__ALLOWED": str(keyring.allowed),
    }
    write_trader(tmp_path / "traders", "busy", BY_ARRAY)
    with Engine(tmp_path, env, tmp_path / "traders") as engine, ExitStack() as stack:
        for service in SERVICES:
            engine.spawn(service, *LIMITED, str(limit), *PYTHON, "-m", f"tickflag.services.{service}")
        engine.wait_ready()
        about = engine.request("collector", "status")["collector"]
        places = [str(path) for path in engine.runtime.folder.glob("*-*") if path.is_socket()]
        places += [about[name].rpartition(":")[2] for name in ("remote_commands", "remote_signals")]
        places.append(about["metrics"].rpartition(":")[2].partition("/")[0])
        assert len(places) == 10
        floods = [Flooder("many", place, "") for place in places]
        for flood in floods:
            stack.callback(flood.close)
        for _ in range(2):  # while they connect, and when they have done so
            engine.wait(partial(_has_more_signals, engine, _last_seq(engine)), what="signals flow")
            assert engine.request("feed", "status")["symbols"]
            assert engine.request("trader", "traders")[0]["state"] == "running"
            while floods:
                floods.pop().wait()
        write_trader(engine.plugins, "added", BY_ARRAY)
        engine.wait(lambda: engine.matches("added"), what="a worker that comes later reaches all services")
        for service in SERVICES:
            assert engine.alive(service), engine.output(service)
            assert "Traceback" not in engine.output(service)
            engine.wait(partial(_says, engine, service, "connections hung up"), what=f"{service} says it")


def test_a_command_with_too_few(engine: Engine) -> None:
    """It says so, where an engine runs that it could ask."""
    engine.start()
    engine.wait_ready()
    lines = (("status",), ("signals", "--follow"), ("matches", "busy"), ("traders",))
    with ThreadPoolExecutor() as pool:
        ends = pool.map(lambda one: run_command([*LIMITED, "12", *tickflag_command(*one)], env=engine.env), lines)
    for done in ends:
        assert done.returncode == 1, done
        assert done.stderr.count("\n") == 1, done.stderr
        assert "`ulimit -n 1024`" in done.stderr
