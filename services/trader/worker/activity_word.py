"""Watch: shared words in which a worker process says what it is at, for the supervisor's eye on its limits."""

import time
from multiprocessing.context import ForkServerContext
from typing import Any

IDLE = 0
_BEGAN, _MEMBER, _MEMORY, _WORDS = 0, 1, 2, 3


class Watch:
    """`words` are shared integers: monotonic ns at which the present work began, IDLE for none; whose it is; and the
    memory that the process had at its start, in bytes.

    What a process was at when it died stays readable.
    """

    def __init__(self, words: Any) -> None:
        self._words = words

    @staticmethod
    def words(spawner: ForkServerContext) -> Any:
        """To be handed to the worker process."""
        return spawner.RawArray("q", _WORDS)

    def begin(self, member: int) -> None:
        """Work for `member` begins, or goes on: its deadline counts from now."""
        self._words[_MEMBER] = member
        self._words[_BEGAN] = time.monotonic_ns()

    def end(self) -> None:
        self._words[_BEGAN] = IDLE

    @property
    def began_ns(self) -> int:
        return int(self._words[_BEGAN])

    @property
    def member(self) -> int:
        """Whose work it is, or was the last."""
        return int(self._words[_MEMBER])

    @property
    def memory_bytes(self) -> int:
        return int(self._words[_MEMORY])

    @memory_bytes.setter
    def memory_bytes(self, found: int) -> None:
        self._words[_MEMORY] = found
