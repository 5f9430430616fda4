"""What the fork server loads before the first worker is forked: numpy, numba, the kernels as machine code, zmq.

Imported there by name, once. Workers share these pages; the garbage collector never touches them again. No ZeroMQ
context exists here: one does not survive a fork.
"""

import atexit
import contextlib
import gc
import os
import signal
import sys

import zmq  # noqa: F401 - loaded for the workers

from common.jit import warming
from services.trader import (
    probe,
    worker,  # noqa: F401 - loaded for the workers
)
from services.trader.warmup import warm_up


def _say() -> None:
    sys.stdout.write("trader: first start: compiling kernels, this takes some seconds\n")
    sys.stdout.flush()


def _end_groups() -> None:
    """The supervisor has gone, so nobody else ends what the workers started."""
    found = probe.read(os.getpid())
    for pid in found.children if found is not None else ():
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


atexit.register(_end_groups)
with warming("trader", _say):
    warm_up()
gc.collect()
gc.freeze()
