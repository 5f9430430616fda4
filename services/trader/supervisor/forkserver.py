"""Loads what the workers need into the fork server: numpy, numba, the kernels as machine code, zmq.

The fork server imports this module by its name, once, before it forks the first worker. Workers share its memory pages,
and the garbage collector never touches these again. No ZeroMQ context is made here, as none survives a fork.
"""

import atexit
import contextlib
import gc
import os
import signal
import sys

import zmq  # noqa: F401 - loaded for the workers

from tickflag.common import probe
from tickflag.common.jit import warming
from tickflag.services.trader.warmup import warm_up
from tickflag.services.trader.worker import worker


def _say() -> None:
    with contextlib.suppress(OSError):  # nobody reads it, or the disk is full
        sys.stdout.write("trader: first start: compiling kernels, this takes some seconds\n")
        sys.stdout.flush()


def _end_groups() -> None:
    """End the workers' process groups when the supervisor is gone: nobody else ends the processes that workers
    started."""
    found = probe.read(os.getpid())
    for pid in found.children if found is not None else ():
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


atexit.register(_end_groups)
try:
    with warming("trader", _say):
        warm_up()
except Exception:  # noqa: BLE001 - whatever it is: were the fork server to end, no worker could tell of it
    worker.preloaded = False
gc.collect()
gc.freeze()
