"""Metronome: a descriptor that becomes readable every so often. Poll timers of whole milliseconds are too coarse."""

import contextlib
import ctypes
import os
import struct
import time

_CLOCK_MONOTONIC = 1
_NONBLOCK = 0o4000
_ABSOLUTE = 1
NS = 1_000_000_000


class Metronome:
    """Ticks every `period_ns` from the monotonic time `start_ns` on. Linux only (timerfd)."""

    def __init__(self, period_ns: int, start_ns: int = 0) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self.start(period_ns, start_ns or time.monotonic_ns())

    def start(self, period_ns: int, start_ns: int) -> None:
        """Tick like this from now on."""
        spec = struct.pack("qqqq", period_ns // NS, period_ns % NS, start_ns // NS, start_ns % NS)
        if self._libc.timerfd_settime(self._descriptor, _ABSOLUTE, spec, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def fileno(self) -> int:
        return self._descriptor

    def take(self) -> None:
        """Take the ticks that came; without any, nothing."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)

    def close(self) -> None:
        os.close(self._descriptor)
