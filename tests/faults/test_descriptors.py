"""Descriptors run out: a service says so in one line and does not start, or goes on without."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.support.harnesses.engine import SERVICES, Engine, write_trader
from tests.support.markets.ledger import BY_ARRAY
from tests.support.processes.commands import PYTHON, run_command, tickflag_command
from tests.support.processes.descriptors import no_more_descriptors
from tests.support.processes.flooder import SOME, Flooder

LIMITED = ("sh", "-c", 'ulimit -n "$0" && exec "$@"')


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with one trader and a market that never ends; nothing is started yet."""
    write_trader(tmp_path / "traders", "busy", BY_ARRAY)
    with Engine(tmp_path, {"TICKFLAG_SYNTHETIC__RATE": "500"}, tmp_path / "traders") as engine:
        yield engine


@pytest.mark.parametrize("limit", [40, *(pytest.param(limit, marks=pytest.mark.soak) for limit in (16, 24, 50, 64))])
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


def _have_room(engine: Engine) -> bool:
    """Whether each service has descriptors left for a further flood, of 512."""
    return all(psutil.Process(engine.pid(service)).num_fds() < 512 - SOME for service in SERVICES)


def _says(engine: Engine, service: str, words: str) -> bool:
    return words in engine.output(service)


def test_services_that_get_no_more(engine: Engine) -> None:
    """They go on, and signals flow. The trader service says what it cannot do meanwhile, and does it afterwards."""
    engine.start()
    engine.wait_ready()
    with ExitStack() as stack:
        seq = _last_seq(engine)
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


def test_a_client_that_never_hangs_up(engine: Engine) -> None:
    """Its connections beyond a share of the limit are hung up, and others are served."""
    for service in SERVICES:
        engine.spawn(service, *LIMITED, "512", *PYTHON, "-m", f"tickflag.services.{service}")
    engine.wait_ready()
    floods = []
    try:
        # One after the other: on a busy machine connections come faster than they are hung up.
        for path in [path for path in engine.runtime.folder.glob("*-*") if path.is_socket()]:
            floods.append(Flooder("some", str(path), ""))
            floods[-1].wait()
            engine.wait(partial(_have_room, engine), what="connections are hung up")
        assert len(floods) == 7
        engine.wait(partial(_has_more_signals, engine, _last_seq(engine)), what="signals flow")
        assert engine.request("feed", "status")["symbols"]
        assert engine.request("trader", "traders")[0]["state"] == "running"
    finally:
        for flood in floods:
            flood.close()
    for service in SERVICES:
        assert engine.alive(service), engine.output(service)
        engine.wait(partial(_says, engine, service, "more than 64 of the process"), what=f"{service} says it")


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
