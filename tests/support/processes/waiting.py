"""How long tests wait. The times given are those of an idle machine; on a busy one everything takes longer, so each
limit grows.

A wait ends as soon as its condition holds, so a generous limit costs nothing unless the test fails.
"""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN_S = 60.0
"""For waits of unknown length: long enough that only a hang lasts longer."""
_LOOK_S = 0.02


def slowdown() -> float:
    """How many processes want each core, over the last minute: from 1 to 6. Above 6 a hang is likelier than a slow
    machine."""
    return min(max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), 6.0)


def allowed_s(seconds: float) -> float:
    """The limit on this machine, as busy as it is now, for what takes `seconds` on an idle one."""
    return seconds * slowdown()


class Deadline:
    """A limit that begins now. A machine that gets busier moves it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.monotonic()
        self._slowdown = 1.0

    def left_s(self) -> float:
        """Seconds to go; 0 when the time is over."""
        self._slowdown = max(self._slowdown, slowdown())
        return max(0.0, self._began + self._seconds * self._slowdown - time.monotonic())

    def over(self) -> bool:
        return self.left_s() == 0.0


def wait_until(
    condition: Callable[[], T],
    within_s: float = WITHIN_S,
    what: str = "",
    details: Callable[[], str] = str,
    look_s: float = _LOOK_S,
) -> T:
    """Call `condition` until it gives something true, and give that. After the deadline fail with `what` and
    `details()`."""
    deadline = Deadline(within_s)
    while True:
        value = condition()
        if value:
            return value
        if deadline.over():
            raise AssertionError(f"not within {within_s:g} s: {what or condition}\n{details()}")
        time.sleep(look_s)
