"""Probe: what the system tells of a process agrees with what the process did."""

import os
import subprocess
import sys
import threading

import numpy as np

from services.trader import probe

PAUSE = [sys.executable, "-c", "input()"]


def test_memory_threads_and_children() -> None:
    """Each grows by what is taken, and not by what another process takes."""
    before = probe.read(os.getpid())
    assert before is not None
    assert abs(probe.memory_bytes() - before.memory_bytes) < 32 << 20
    taken = np.ones(8 << 20)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    with subprocess.Popen(PAUSE, stdin=subprocess.PIPE) as child:
        after = probe.read(os.getpid())
        own = probe.read(child.pid)
        child.communicate(b"\n")
    stop.set()
    thread.join()
    assert after is not None
    assert own is not None
    assert after.memory_bytes - before.memory_bytes >= taken.nbytes // 2
    assert after.threads == before.threads + 1
    assert set(after.children) - set(before.children) == {child.pid}
    assert (own.threads, own.children) == (1, ())


def test_a_process_that_is_gone() -> None:
    """It has no reading."""
    with subprocess.Popen(PAUSE, stdin=subprocess.PIPE) as child:
        child.communicate(b"\n")
    assert probe.read(child.pid) is None
