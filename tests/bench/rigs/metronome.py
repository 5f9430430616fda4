"""Metronome: a descriptor that becomes readable at regular times. Poll timers of whole milliseconds are too coarse."""

import contextlib
import ctypes
import os
import struct
import time

from tickflag.common.units import NS_PER_S

_CLOCK_MONOTONIC = 1
_NONBLOCK = 0o4000
_ABSOLUTE = 1


class Metronome:
    """Ticks every `period_ns` from the monotonic time `start_ns` on. Linux only (timerfd)."""

    def __init__(self, period_ns: int, start_ns: int = 0) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self.start(period_ns, start_ns or time.monotonic_ns())

    def start(self, period_ns: int, start_ns: int) -> None:
        """Tick with this period from `start_ns` on."""
        spec = struct.pack(
            "qqqq", period_ns // NS_PER_S, period_ns % NS_PER_S, start_ns // NS_PER_S, start_ns % NS_PER_S
        )
        if self._libc.timerfd_settime(self._descriptor, _ABSOLUTE, spec, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def fileno(self) -> int:
        return self._descriptor

    def take(self) -> None:
        """Clear the ticks that came; does nothing where none did."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)

    def close(self) -> None:
        os.close(self._descriptor)
