"""Backoff: how long to wait after a failure, before the next try."""


class Backoff:
    """The wait doubles from `first_ns` to `limit_ns`; a success resets it."""

    def __init__(self, first_ns: int, limit_ns: int) -> None:
        self._first_ns, self._limit_ns = first_ns, limit_ns
        self.failures = 0
        """Failures in a row so far."""

    def failed(self) -> int:
        """Note a failure; gives the wait in ns."""
        wait_ns = min(self._first_ns << min(self.failures, 40), self._limit_ns)
        self.failures += 1
        return wait_ns

    def succeeded(self) -> None:
        """Note a success: the next failure waits `first_ns` again."""
        self.failures = 0
