"""Pace: when a trader's passes are due, by the limits that the trader declares."""

from collections.abc import Callable


class Pace:
    """At most one pass in `min_interval_ns` (0: no limit), and a pass over everything each `every_ns` (0: never).

    All times come from one clock of the caller. The first pass is one over everything in any case. Passes come at the
    same times with tracking on and off.
    """

    def __init__(self, min_interval_ns: int, every_ns: int) -> None:
        self._min_interval_ns, self._every_ns = min_interval_ns, every_ns
        self._not_before_ns = 0
        self._everything_ns = 0

    def allows(self, now_ns: int) -> bool:
        """Whether the least time between two passes is over."""
        return now_ns >= self._not_before_ns

    def wants_everything(self, now_ns: int) -> bool:
        """Whether a pass over everything is due."""
        return self._every_ns > 0 and now_ns >= self._everything_ns

    def passed(self, now_ns: int) -> None:
        """Note that a pass succeeded; it went over everything if that was due."""
        if self.wants_everything(now_ns):
            self._everything_ns = now_ns + self._every_ns
        if self._min_interval_ns:
            self._not_before_ns = now_ns + self._min_interval_ns

    def due_ns(self, pending: Callable[[], bool]) -> int | None:
        """When a pass is due without an event; None for never. `pending` tells whether something has changed."""
        due = [self._not_before_ns] if self._min_interval_ns and pending() else []
        if self._every_ns:
            due.append(max(self._everything_ns, self._not_before_ns))
        return min(due, default=None)
