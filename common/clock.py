"""The two clocks of a process, injected so that a replay can put its recording's time in their place."""

import time
from typing import Protocol


class Clock(Protocol):
    def monotonic_ns(self) -> int:
        """Time for decisions: never goes back, the same in every process of the machine."""
        ...

    def wall_ns(self) -> int:
        """UTC time for payload and for event time."""
        ...


class SystemClock:
    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()


class ReplayClock:
    """Both clocks show the recording's time; whoever replays moves it."""

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.now_ns
