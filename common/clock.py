"""The two clocks of a process, injected so that a test can put a time of its own in their place."""

import time
from typing import Protocol


class Clock(Protocol):
    def monotonic_ns(self) -> int:
        """Time for decisions; it never goes back, and is the same in every process of the machine."""
        ...

    def wall_ns(self) -> int:
        """UTC time, for what messages and rows hold."""
        ...


class SystemClock:
    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()
