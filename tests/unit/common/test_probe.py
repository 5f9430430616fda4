"""Probe: what the system tells of a process agrees with what the process did."""

import os
import struct
import subprocess
import sys
from typing import Any

import pytest

from tickflag.common import probe

PAUSE = [sys.executable, "-c", "input()"]


# At each line that comes it takes up more, and says so: memory and a thread, then a child that waits with it.
GROWING = """
import subprocess, sys, threading
print(flush=True)
input()
taken = bytearray(64 << 20)
stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
child.communicate(b"\\n")
stop.set()
"""


def test_memory_threads_and_children() -> None:
    """Each number grows with what the process uses, and not with what another process uses."""
    command = [sys.executable, "-c", GROWING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = probe.read(process.pid)
        print(file=process.stdin, flush=True)
        child = int(process.stdout.readline())
        after = probe.read(process.pid)
        own = probe.read(child)
        print(file=process.stdin, flush=True)
    assert before is not None
    assert after is not None
    assert own is not None
    assert after.memory_bytes - before.memory_bytes >= 32 << 20
    assert (before.threads, after.threads) == (1, 2)
    assert (before.children, after.children) == ((), (child,))
    assert (own.threads, own.children) == (1, ())


def test_the_own_memory_is_that_of_a_reading() -> None:
    """The worker asks for its own memory often, and so by a shorter way."""
    found = probe.read(os.getpid())
    assert found is not None
    assert abs(probe.memory_bytes() - found.memory_bytes) < 32 << 20


def test_a_process_that_is_gone() -> None:
    """The probe gives no reading."""
    with subprocess.Popen(PAUSE, stdin=subprocess.PIPE) as child:
        child.communicate(b"\n")
    assert probe.read(child.pid) is None


def test_a_thread_that_has_just_ended_has_no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither has a thread children where the kernel keeps no such file."""
    monkeypatch.setattr("os.listdir", lambda _folder: ["0"])
    found = probe.read(os.getpid())
    assert found is not None
    assert found.children == ()


class Libproc:
    """The calls of macOS's library, for one process with 3 MB, 4 threads and 2 children."""

    def proc_pidinfo(self, pid: int, _flavor: int, _argument: object, info: Any, size: int) -> int:
        if pid != 7:
            return 0
        struct.pack_into("<Q", info, 8, 3 << 20)
        struct.pack_into("<i", info, 84, 4)
        return size

    def proc_listchildpids(self, _pid: int, pids: Any, _size: int) -> int:
        pids[0], pids[1] = 8, 9
        return 2


def test_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures, from libproc."""
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda _name: Libproc())
    assert probe.read(7) == probe.ProcessReading(3 << 20, 4, (8, 9))
    assert probe.read(1) is None
    assert probe.memory_bytes() == 0
