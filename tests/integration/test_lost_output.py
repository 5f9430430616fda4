"""`tickflag start` when its terminal is closed, its disk is full or it is killed: no process is left behind."""

import os
import shlex
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.harnesses.engine import READY_S, STOP_S, Engine
from tests.support.processes.commands import tickflag_command

CHATTY = "chatty: trap 'exit 0' TERM; while :; do echo hello; sleep 0.05; done"


def on_a_terminal(engine: Engine, command: list[str]) -> int:
    """Start the command as the leader of a new session on a pseudo terminal; gives the other end of that."""
    master, slave = os.openpty()
    lead = "import fcntl, os, sys, termios; os.setsid() if os.getsid(0) != os.getpid() else None; "
    lead += "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    redirected = f"exec {shlex.join([sys.executable, '-c', lead, *command])} <>{os.ttyname(slave)} >&0 2>&0"
    engine.spawn("start", "/bin/sh", "-c", redirected)
    os.close(slave)
    return master


def services(engine: Engine) -> list[psutil.Process]:
    return [one for one in engine.processes() if any("tickflag.services." in part for part in one.cmdline())]


def test_the_terminal_is_closed(engine: Engine) -> None:
    """Its hangup and the errors of writing to it end everything in order."""
    master = on_a_terminal(engine, tickflag_command("start"))
    engine.wait(lambda: engine.holder("trader"), READY_S, "the services run")
    os.close(master)
    engine.wait_exit("start")
    engine.wait_gone()


def test_the_terminal_is_closed_and_the_hangup_is_ignored(engine: Engine) -> None:
    """Under `nohup` with the terminal as output, the first line that cannot be written ends everything."""
    command = ["/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *tickflag_command("start")]
    master = on_a_terminal(engine, command)
    engine.wait(lambda: engine.holder("trader"), READY_S, "the services run")
    os.close(master)
    engine.wait_exit("start", READY_S)
    engine.wait_gone()


def test_a_terminal_that_stands_still(engine: Engine, tmp_path: Path) -> None:
    """Nobody reads it, so writing blocks: SIGTERM ends everything in time all the same."""
    path = tmp_path / "Procfile"
    path.write_text(f"{CHATTY}\nflood: exec yes\n")
    master = on_a_terminal(engine, tickflag_command("start", "--procfile", path))
    try:
        engine.wait(lambda: any(one.name() == "yes" for one in engine.processes()), READY_S, "the flood")
        engine.stop("start", STOP_S + 1)
        engine.wait_gone()
    finally:
        os.close(master)


def test_the_disk_is_full(engine: Engine) -> None:
    """`start > log`: one line on standard error says what happened, and the exit code is 1."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    engine.spawn("start", "/bin/sh", "-c", f"exec {shlex.join(tickflag_command('start'))} >{full}")
    assert engine.wait_exit("start", READY_S) == 1
    assert engine.output("start") == (
        "tickflag: the output cannot be written (No space left on device), so all were stopped\n"
    )
    engine.wait_gone()


def test_start_is_killed(engine: Engine) -> None:
    """The services see the end of their starter, and end in order."""
    engine.spawn("start", *tickflag_command("start"))
    engine.wait_ready()
    engine.kill("start")
    engine.wait_gone()


def test_a_service_on_its_own_survives_its_starter(engine: Engine) -> None:
    """Without a lifeline nothing is watched, as under a supervisor: the one that started it may end."""
    launch = (
        "import signal, subprocess, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # the tests may run by nohup
    )
    launch += "subprocess.Popen(sys.argv[1:], start_new_session=True)"
    engine.spawn("launcher", sys.executable, "-c", launch, sys.executable, "-P", "-m", "tickflag.services.collector")
    assert engine.wait_exit("launcher", READY_S) == 0
    pid = engine.wait(lambda: engine.holder("collector"), READY_S, "the collector runs")
    assert engine.request("collector", "status")["collector"]["last_seq"] == 0
    assert engine.holder("collector") == pid
    assert pid is not None
    os.kill(pid, signal.SIGHUP)  # the end of its terminal is a stop
    engine.wait_gone()
    assert "stopped" in engine.output("launcher")


@pytest.mark.parametrize("service", ["feed", "collector", "trader"])
def test_a_service_on_a_full_disk_goes_on(engine: Engine, service: str) -> None:
    """Its log is not worth a failure: it ends when asked to, with exit code 0."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    command = [sys.executable, "-P", "-m", f"tickflag.services.{service}"]
    engine.spawn(service, "/bin/sh", "-c", f"exec {shlex.join(command)} >/dev/full")
    engine.wait(lambda: engine.request(service, _question(service)), READY_S, "it answers")  # type: ignore[arg-type]
    assert engine.stop(service) == 0
    assert engine.output(service) == ""


def _question(service: str) -> str:
    return "supervisor" if service == "trader" else "status"
