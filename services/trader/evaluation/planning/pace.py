"""When to go on: after a failure, and at the pace a trader asks for."""

from collections.abc import Callable


class Backoff:
    """Doubles from `first_ns` to `limit_ns`; a success starts it over."""

    def __init__(self, first_ns: int, limit_ns: int) -> None:
        self._first_ns, self._limit_ns = first_ns, limit_ns
        self.failures = 0

    def failed(self) -> int:
        """Note a failure; gives the wait in ns."""
        wait_ns = min(self._first_ns << min(self.failures, 40), self._limit_ns)
        self.failures += 1
        return wait_ns

    def succeeded(self) -> None:
        self.failures = 0


class Pace:
    """At most one pass in `min_interval_ns`, and one over everything each `every_ns`; 0 is no limit, and never.

    All times are of one clock that the caller has. The first pass is one over everything anyway. Whether tracking is
    on makes no difference to when passes are made.
    """

    def __init__(self, min_interval_ns: int, every_ns: int) -> None:
        self._min_interval_ns, self._every_ns = min_interval_ns, every_ns
        self._not_before_ns = 0
        self._everything_ns = 0

    def allows(self, now_ns: int) -> bool:
        """The time since the last pass is over."""
        return now_ns >= self._not_before_ns

    def wants_everything(self, now_ns: int) -> bool:
        """A pass over everything is due."""
        return self._every_ns > 0 and now_ns >= self._everything_ns

    def passed(self, now_ns: int) -> None:
        """A pass succeeded: over everything, if that was due."""
        if self.wants_everything(now_ns):
            self._everything_ns = now_ns + self._every_ns
        if self._min_interval_ns:
            self._not_before_ns = now_ns + self._min_interval_ns

    def due_ns(self, pending: Callable[[], bool]) -> int | None:
        """When a pass is due without an event; `pending` tells whether something has changed. None for never."""
        due = [self._not_before_ns] if self._min_interval_ns and pending() else []
        if self._every_ns:
            due.append(max(self._everything_ns, self._not_before_ns))
        return min(due, default=None)
