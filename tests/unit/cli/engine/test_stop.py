"""`stop`: whom it signals, and whom not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tickflag.common.runtime import Role, Runtime
from tickflag.services.cli.engine import stop

linux = pytest.mark.skipif(sys.platform != "linux", reason="no /proc")

HOLDS = """
import os, signal, sys
from pathlib import Path
from tickflag.common.runtime import Role, Runtime
if sys.argv[3:] == ["deaf"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
role = Role(Runtime(Path(sys.argv[1]).parent, Path(sys.argv[1]).name), sys.argv[2])
print("held", flush=True)
signal.pause()
"""


def held(runtime: Runtime, role: str, *words: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(runtime.folder), role, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_nothing_runs(runtime: Runtime, run: Run) -> None:
    """No failure."""
    result = run("stop")
    assert (result.exit_code, result.stdout) == (0, "nothing is running for instance 'test'\n")


def test_a_process_that_ignores_the_stop_is_killed(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And named; what it left is removed."""
    monkeypatch.setattr(stop, "KILL_AFTER_S", 0.2)
    monkeypatch.setattr(stop, "GIVE_UP_AFTER_S", 60.0)
    left = runtime.folder / "collector-signals"
    left.touch()
    with held(runtime, "collector", "deaf") as deaf:
        result = run("stop")
        assert result.exit_code == 0
        assert f"killed, as it did not end by itself: collector (pid {deaf.pid})" in result.stderr
        assert deaf.wait(30) == -signal.SIGKILL
    assert not left.exists()


def test_who_cannot_be_killed_is_named(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 1."""
    monkeypatch.setattr(stop, "GIVE_UP_AFTER_S", 0.2)
    monkeypatch.setattr(stop, "_send", lambda *_: None)
    with held(runtime, "feed") as process:
        result = run("stop")
        process.kill()
    assert result.exit_code == 1
    assert result.stderr == f"tickflag: feed (pid {process.pid}) did not end within 0.2 s\n"


@linux
@pytest.mark.parametrize("written", ["1", "999999999", ""])
def test_a_process_that_is_not_the_holder_gets_no_signal(
    runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """A lock whose holder runs in another container has a number that means another process here, or none."""
    signalled: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signalled.append(pid))
    with Role(runtime, "feed"):
        runtime.lock_path("feed").write_text(written)
        result = run("stop")
    assert result.exit_code == 1
    assert "it cannot be seen from here" in result.stderr or "belongs to another user" in result.stderr
    assert signalled == []


def test_the_end_comes_before_the_signal(runtime: Runtime) -> None:
    """A process that has just ended is no failure."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    stop._send(process.pid, signal.SIGTERM)


def test_remote(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It works on the engine's own machine only."""
    monkeypatch.setenv("TICKFLAG_REMOTE__CONNECT", "tcp://elsewhere:1")
    result = run("stop")
    assert result.exit_code == 1
    assert "`tickflag stop` works on the engine's own machine only" in result.stderr
