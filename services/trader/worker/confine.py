"""Confine: what a worker process does to itself before it loads a trader, so that faults stay in it and end with it."""

import ctypes
import faulthandler
import os
import resource
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

HARD_FACTOR = 4
"""Allocations fail at so many times `trader.memory_limit_mb`; from the limit on the supervisor ends the process."""

_PR_SET_PDEATHSIG = 1
_PAGE = os.sysconf("SC_PAGE_SIZE")


def confine(output: Connection, memory_limit_mb: int) -> None:
    """Die with the parent and take all children along, write to `output`, leave Ctrl-C to the supervisor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setpgid(0, 0)  # what the supervisor ends is the group: the process with its children
    _let_fork_server_go()
    _die_with_parent()
    os.register_at_fork(after_in_child=_die_with_parent)
    os.umask(0o077)
    sys.dont_write_bytecode = True  # two edits of a helper within a second could make it stale
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # text streams; what a crash must not keep
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _limit_memory(HARD_FACTOR * memory_limit_mb << 20)
    faulthandler.enable()  # SIGABRT from the supervisor shows where a cycle hangs, in C code too


def _let_fork_server_go() -> None:
    """It ends when the last one that may use it has gone. No worker does, and one that hangs must not keep it."""
    server: Any = forkserver._forkserver  # there is no public way
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = None


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_memory(more_bytes: int) -> None:
    """Let allocations fail before the machine runs out, and the kernel choose this process where it does."""
    with open("/proc/self/statm") as file:
        data_bytes = int(file.read().split()[5]) * _PAGE
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data_bytes + more_bytes
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
