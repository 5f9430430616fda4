"""Waits and commands of the tests: they end, whatever they wait for."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes.commands import run_command
from tests.support.processes.waiting import Deadline, allowed_s, wait_until


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A machine with two cores and this load, which is 0 at first."""
    load = [0.0]
    monkeypatch.setattr(os, "getloadavg", lambda: (load[0], 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return load


@pytest.mark.parametrize(("processes", "seconds"), [(0.0, 5.0), (2.0, 5.0), (10.0, 25.0), (1_000.0, 30.0)])
def test_a_busy_machine_may_take_longer(load: list[float], processes: float, seconds: float) -> None:
    """The time grows with the number of processes that want each core, up to a limit; an idle machine leaves it."""
    load[0] = processes
    assert allowed_s(5.0) == seconds


def test_a_deadline_moves_with_the_load(load: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline moves later when the machine gets busy, and never back."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    deadline = Deadline(10.0)
    monkeypatch.setattr(time, "monotonic", lambda: 115.0)
    load[0] = 4.0
    assert deadline.left_s() == 5.0
    load[0] = 0.0
    assert deadline.left_s() == 5.0
    monkeypatch.setattr(time, "monotonic", lambda: 120.0)
    assert deadline.over()


def test_a_wait_gives_what_it_waited_for(load: list[float]) -> None:
    """The value comes once it is true; after the deadline the wait fails and says what it waited for."""
    answers = iter([0, "", "there"])
    assert wait_until(lambda: next(answers), 5.0, look_s=0.0) == "there"
    with pytest.raises(AssertionError, match=r"not within 0 s: a miracle\nall that is known"):
        wait_until(lambda: False, 0.0, "a miracle", lambda: "all that is known", 0.0)


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path, load: list[float]) -> None:
    """The test fails with the command line and its output, and nothing of the command stays."""
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    with pytest.raises(AssertionError, match="not over within 5 s") as failure:
        run_command([sys.executable, "-c", program], tmp_path, within_s=5.0)
    child = int(str(failure.value).partition("--- output\nchild ")[2].split()[0])
    wait_until(lambda: not _runs(child), what="the child is gone")


def test_ctrl_c_reaches_what_tests_start() -> None:
    """It does so though the tests themselves may run in the background, where SIGINT is ignored."""
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert run_command([sys.executable, "-c", program]).stdout == "True\n"
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def _runs(pid: int) -> bool:
    """Whether the process runs. One that has ended does not, even if nobody has waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
