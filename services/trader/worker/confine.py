"""Confine: how a worker process limits itself before it loads a trader, so that a fault harms no other process."""

import ctypes
import faulthandler
import os
import resource
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any, TextIO

from tickflag.common.limits import ALLOCATION_FACTOR, limit_memory

_PR_SET_PDEATHSIG = 1


def confine(output: Connection, memory_limit_mb: int) -> None:
    """Let this process die with its parent and end its children, write to `output`, and ignore Ctrl-C, which the
    supervisor handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setpgid(0, 0)  # the supervisor ends the whole group: the process with its children
    _let_fork_server_go()
    _die_with_parent()
    os.register_at_fork(after_in_child=_die_with_parent)
    os.umask(0o077)
    sys.dont_write_bytecode = True  # two edits of a helper within a second would make its bytecode stale
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        limit_memory(ALLOCATION_FACTOR * memory_limit_mb << 20)
    faulthandler.enable()  # SIGABRT from the supervisor shows where a cycle hangs, in C code too


def _stream(descriptor: int) -> TextIO:
    """A new stream: that of the fork server may take a pipe for the file on which it was opened. Each line goes out at
    once, so that a crash keeps nothing back."""
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _let_fork_server_go() -> None:
    """Close this process's end of the fork server's pipe. The fork server lives until all such ends are closed, and a
    worker must not keep it alive."""
    server: Any = forkserver._forkserver  # there is no public name
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = None


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
