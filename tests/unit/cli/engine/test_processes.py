"""`tickflag start` in the background, where SIGINT is ignored from the start: signals end it all the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tickflag.common.runtime import Runtime

SERVICE = """
import os
from tickflag.common.lifecycle import Stop
with Stop() as stop:
    print("up", os.getpid(), flush=True)
    print("ended in order" if stop.wait(60) else "left alone", flush=True)
"""


@pytest.fixture
def started(runtime: Runtime, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`tickflag start` with one service, started as a shell without job control starts background processes."""
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "Procfile").write_text(f"service: exec python -P {tmp_path / 'service.py'}\n")
    command = (sys.executable, "-P", "-m", "tickflag.services.cli", "start", "--procfile", str(tmp_path / "Procfile"))
    with subprocess.Popen(
        ("/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command), stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def _pid_of_service(started: "subprocess.Popen[str]") -> int:
    assert started.stdout is not None
    return next(int(line.split()[-1]) for line in started.stdout if " up " in line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(started: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """The service ends in order, and nothing reports a failure."""
    pid = _pid_of_service(started)
    started.send_signal(number)
    output = started.communicate(timeout=20)[0]
    assert f"{number.name} received" in output
    assert "ended in order" in output
    assert started.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_signal_ends_a_service(started: "subprocess.Popen[str]") -> None:
    """SIGINT for the service itself ends it in order, and the rest with it."""
    os.kill(_pid_of_service(started), signal.SIGINT)
    output = started.communicate(timeout=20)[0]
    assert "ended in order" in output
    assert started.returncode == 1


@pytest.mark.parametrize(("beside", "status"), [("dashboard: exit 3", 0), ("needed: exit 3", 1)])
def test_a_process_that_is_not_needed_ends_no_other(runtime: Runtime, tmp_path: Path, beside: str, status: int) -> None:
    """The end of the dashboard is said, and the others go on until they are stopped; the end of any other ends all."""
    (tmp_path / "Procfile").write_text(f"service: exec sleep 60\n{beside}\n")
    procfile = str(tmp_path / "Procfile")
    command = (sys.executable, "-P", "-m", "tickflag.services.cli", "start", "--procfile", procfile)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        if status == 0:
            assert any("the others go on without dashboard" in line for line in process.stdout)
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == status


def test_the_last_one_ends_the_run(runtime: Runtime, tmp_path: Path) -> None:
    """Where nothing else runs, the dashboard's end is the end."""
    (tmp_path / "Procfile").write_text("dashboard: exit 3\n")
    procfile = str(tmp_path / "Procfile")
    command = (sys.executable, "-P", "-m", "tickflag.services.cli", "start", "--procfile", procfile)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 1
    assert "dashboard.1 ended by itself with status 3" in done.stdout
