"""Probe: a process's memory, threads and children as the system tells them, on Linux and macOS."""

import ctypes
import os
import sys
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")

# libproc of macOS: proc_pidinfo(PROC_PIDTASKINFO) fills a proc_taskinfo.
_TASK_INFO = 4
_TASK_BYTES = 96
_RESIDENT_AT = 8  # 64 bits, bytes
_THREADS_AT = 84  # 32 bits


class ProcessReading(NamedTuple):
    """One process at one moment."""

    memory_bytes: int
    """Resident memory; on Linux without mapped files, so without the segment."""
    threads: int
    children: tuple[int, ...]
    """Ids of the processes that this one started and has not waited for."""


def read(pid: int) -> ProcessReading | None:
    """The reading of a process; None where no process has this id."""
    return _darwin(pid) if sys.platform == "darwin" else _linux(pid)


def memory_bytes() -> int:
    """The memory of this process, as `read` measures it."""
    reading = read(os.getpid())
    return reading.memory_bytes if reading is not None else 0


def _linux(pid: int) -> ProcessReading | None:
    try:
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared, *_ = map(int, file.read().split())
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return None
    children = tuple(child for task in tasks for child in _children(pid, task))
    return ProcessReading((resident - shared) * _PAGE, len(tasks), children)


def _children(pid: int, task: str) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{task}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:  # the thread has just ended, or the kernel keeps no such file
        return []


def _darwin(pid: int) -> ProcessReading | None:
    library = ctypes.CDLL(None)
    info = (ctypes.c_char * _TASK_BYTES)()
    if library.proc_pidinfo(pid, _TASK_INFO, ctypes.c_uint64(0), info, _TASK_BYTES) != _TASK_BYTES:
        return None
    resident = ctypes.c_uint64.from_buffer(info, _RESIDENT_AT).value
    threads = ctypes.c_int32.from_buffer(info, _THREADS_AT).value
    pids = (ctypes.c_int32 * 1024)()
    count = max(0, int(library.proc_listchildpids(pid, pids, ctypes.sizeof(pids))))
    return ProcessReading(resident, threads, tuple(pids[:count]))
