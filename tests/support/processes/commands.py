"""Commands that run to their end and cannot outlive their test."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.documents.pages import ROOT
from tests.support.processes.waiting import WITHIN_S, allowed_s

PYTHON = (sys.executable, "-P")


def run_command(
    command: Sequence[str | Path],
    cwd: Path | str = ROOT,
    env: Mapping[str, str] | None = None,
    within_s: float = WITHIN_S,
) -> subprocess.CompletedProcess[str]:
    """Exit status and output. A command that does not end in time fails the test and is killed with all it started."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=allowed_s(within_s))
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            out, err = process.communicate()
            words = " ".join(map(str, command))
            raise AssertionError(
                f"not over within {within_s:g} s: {words}\n--- output\n{out}\n--- errors\n{err}"
            ) from None
        except BaseException:
            _kill_group(process.pid)
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def tickflag_command(*arguments: str | Path) -> list[str]:
    """The command line `tickflag` of this checkout."""
    return [*PYTHON, "-m", "tickflag.services.cli", *map(str, arguments)]


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
