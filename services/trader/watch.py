"""Watch: two shared words in which a worker process says what it is at, for the supervisor's eye on deadlines."""

import time
from typing import Any

IDLE = 0


class Watch:
    """`words` are two shared integers: monotonic ns at which the present work began, IDLE for none; and whose it is.

    What a process was at when it died stays readable.
    """

    def __init__(self, words: Any) -> None:
        self._words = words

    def begin(self, member: int) -> None:
        """Work for `member` begins, or goes on: its deadline counts from now."""
        self._words[1] = member
        self._words[0] = time.monotonic_ns()

    def end(self) -> None:
        self._words[0] = IDLE

    @property
    def began_ns(self) -> int:
        return int(self._words[0])

    @property
    def member(self) -> int:
        """Whose work it is, or was the last."""
        return int(self._words[1])
