"""`tickflag start`: when and how it ends, and what it leaves."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.harnesses.engine import READY_S, STOP_S, Engine
from tests.support.processes.commands import tickflag_command


def start(engine: Engine, *arguments: str) -> None:
    engine.spawn("start", *tickflag_command("start", *arguments))


def procfile(engine: Engine, *lines: str) -> str:
    path = engine.folder / "Procfile"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_a_stop(engine: Engine, number: signal.Signals) -> None:
    """Ctrl-C (which reaches the whole process group) or SIGTERM: within 5 s no process, segment or socket is left."""
    start(engine)
    engine.wait_ready()
    assert engine.leftovers()
    began = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(engine.pid("start"), number)
    else:
        engine.send("start", number)
    assert engine.wait_exit("start") == 0
    engine.wait_gone(began + STOP_S - time.monotonic())
    for service in ("feed", "collector", "trader"):
        assert engine.holder(service) is None
        assert f"{service}.1 stopped (rc=0)" in engine.output("start")


def test_the_time_limit_ends_it(engine: Engine) -> None:
    """`--for` stops everything, with exit code 0, even while kernels are being compiled."""
    start(engine, "--for", "2")
    assert engine.wait_exit("start", 2 + STOP_S + 5) == 0
    engine.wait_gone()


def test_a_signal_at_once_is_not_lost(engine: Engine) -> None:
    """Ctrl-C while the processes are being started ends them all the same."""
    start(engine)
    engine.wait(lambda: "system" in engine.output("start"), READY_S, "the first line")
    engine.send("start", signal.SIGINT)
    assert engine.wait_exit("start", STOP_S + 5) == 0
    assert "Traceback" not in engine.output("start")
    engine.wait_gone()


def test_the_traders_end_while_their_fork_server_starts(engine: Engine) -> None:
    """The stop that `honcho` and `tickflag start` send reaches the fork server too: that is no error."""
    engine.start("trader")
    engine.wait(lambda: any("forkserver" in " ".join(process.cmdline()) for process in engine.processes()))
    os.killpg(engine.pid("trader"), signal.SIGTERM)
    assert engine.wait_exit("trader") == 0
    assert "Traceback" not in engine.output("trader")
    engine.wait_gone()


def test_a_process_that_ends_by_itself_ends_all(engine: Engine) -> None:
    """Exit code 1, naming the process and its status."""
    start(engine, "--procfile", procfile(engine, "good: exec sleep 60", "bad: exit 3"))
    assert engine.wait_exit("start", READY_S) == 1
    assert "tickflag: bad.1 ended by itself with status 3" in engine.output("start")
    engine.wait_gone()


def test_a_process_that_ignores_the_stop_is_killed(engine: Engine) -> None:
    """A stop is over within 5 s, whatever the processes do about it."""
    deaf = "deaf: trap '' TERM; echo not listening; while :; do sleep 0.1; done"
    start(engine, "--procfile", procfile(engine, deaf))
    engine.wait(lambda: "not listening" in engine.output("start"), READY_S)
    engine.send("start", signal.SIGINT)
    assert engine.wait_exit("start", STOP_S) == 0
    engine.wait_gone()


def test_nobody_reads_the_output(engine: Engine, tmp_path: Path) -> None:
    """Where standard output is closed, as by `tickflag start | head`, everything ends."""
    lines = procfile(engine, "chatty: while :; do echo hello; sleep 0.05; done")
    command = " ".join(tickflag_command("start", "--procfile", lines))
    engine.spawn("pipe", "bash", "-c", f"set -o pipefail; {command} | head -n 3")
    assert engine.wait_exit("pipe", READY_S) == 0
    engine.wait_gone()


def test_an_engine_started_meanwhile_gives_75(engine: Engine) -> None:
    """A service that finds its role taken ends `start` with exit code 75."""
    start(engine, "--procfile", procfile(engine, "feed: exit 75"))
    assert engine.wait_exit("start", READY_S) == 75
