"""`tickflag stop` and `tickflag start --detach`: an engine without a terminal and without a supervisor."""

import signal
import time

import pytest

from tests.support.harnesses.engine import READY_S, STOP_S, Engine
from tests.support.processes.commands import tickflag_command


def test_a_detached_engine_runs_until_it_is_stopped(engine: Engine) -> None:
    """`start --detach` gives back when the services have their roles; the log says when all is ready. After `stop`
    nothing is left."""
    begun = engine.cli("start", "--detach")
    assert (begun.returncode, begun.stderr) == (0, "")
    assert "the engine runs in the background" in begun.stdout
    log = engine.runtime.folder / "start.log"
    assert str(log) in begun.stdout
    assert all(engine.holder(role) for role in ("starter", "feed", "collector", "trader"))
    engine.wait_ready()
    engine.wait(lambda: "the engine is ready: 6 traders run" in log.read_text(), READY_S, "the first words")
    again = engine.cli("start", "--detach")
    assert (again.returncode, len(again.stderr.splitlines())) == (75, 1)
    ended = engine.cli("stop")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("stopped: starter (pid ")
    engine.wait_gone()
    assert "SIGTERM received" in log.read_text()


def test_a_detached_engine_that_cannot_start(engine: Engine) -> None:
    """The one line that says why is told, and where the log is."""
    engine.env["TICKFLAG_FEED__SOURCE"] = "nosuch"
    done = engine.cli("start", "--detach")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "there is no source 'nosuch'" in done.stderr
    assert "start.log" in done.stderr
    engine.wait_gone()


def test_the_services_of_a_supervisor_are_stopped(engine: Engine) -> None:
    """Without `tickflag start` each service gets the signal."""
    engine.start("collector", "feed")
    engine.wait(lambda: engine.request("collector", "status") and engine.request("feed", "status"))
    for service in ("collector", "feed"):
        engine._ending.add(service)
    done = engine.cli("stop")
    assert done.returncode == 0
    assert "collector (pid" in done.stdout
    assert "starter" not in done.stdout
    assert engine.wait_exit("feed") == engine.wait_exit("collector") == 0
    engine.wait_gone()


@pytest.mark.parametrize("deaf", ["start", "collector"])
def test_what_hangs_is_killed_within_the_time(engine: Engine, deaf: str) -> None:
    """A process that is stopped by SIGSTOP hears no signal."""
    if deaf == "start":
        engine.spawn("start", *tickflag_command("start"))
        engine.wait(lambda: engine.holder("trader"), READY_S, "the services run")
    else:
        engine.start("collector")
        engine.wait(lambda: engine.request("collector", "status"))
    engine.send(deaf, signal.SIGSTOP)
    engine._ending.add(deaf)
    began = time.monotonic()
    done = engine.cli("stop")
    assert done.returncode == 0, done
    assert "killed, as it did not end by itself" in done.stderr
    engine.wait_gone(STOP_S + 1)
    assert time.monotonic() - began < READY_S


def test_nothing_runs(engine: Engine) -> None:
    """That is no failure: what was asked for is so."""
    done = engine.cli("stop")
    assert (done.returncode, done.stdout) == (0, "nothing is running for instance 'test'\n")
