"""What confining changes is for the process's whole life, so each test has a process of its own."""

import os
import subprocess
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.processes.commands import PYTHON
from tickflag.services.trader.worker import confine

PRINTS = """
import multiprocessing, os, sys
from tickflag.services.trader.worker.confine import confine
print("of the supervisor", flush=True)
ours, theirs = multiprocessing.Pipe(duplex=False)
confine(theirs, 1024)
print("\\ud800 of the worker", file=sys.stdout)
print("trouble", file=sys.stderr)
open(sys.argv[1], "wb").write(os.read(ours.fileno(), 1000))
"""


def test_a_supervisor_that_writes_to_a_file(tmp_path: Path) -> None:
    """Its workers start, and print to their pipe."""
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run([*PYTHON, "-c", PRINTS, str(tmp_path / "printed")], stdout=log, stderr=subprocess.STDOUT)
    assert (tmp_path / "log").read_text() == "of the supervisor\n"
    assert (done.returncode, (tmp_path / "printed").read_text()) == (0, "\\ud800 of the worker\ntrouble\n")


def test_the_fork_server_is_let_go_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker closes what holds the fork server, and finds nothing to close in a process that never had it."""
    held, other = os.pipe()
    server = SimpleNamespace(_forkserver_alive_fd=held)
    monkeypatch.setattr(forkserver, "_forkserver", server)
    for _ in range(2):
        confine._let_fork_server_go()
        assert server._forkserver_alive_fd is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held)
    os.close(other)
