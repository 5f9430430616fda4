"""ActivityWord: shared words in which a worker process says what it is working on; the supervisor limits the time."""

import time
from multiprocessing.context import ForkServerContext
from typing import Any

IDLE = 0
_BEGAN, _MEMBER, _MEMORY, _WORDS = 0, 1, 2, 3


class ActivityWord:
    """The worker process writes, the supervisor reads. What a process was working on when it died stays readable.

    `words` are three shared integers: the monotonic ns at which the present work began, or IDLE; the number of the
    member that the work is for; and the memory that the process had at its start, in bytes.
    """

    def __init__(self, words: Any) -> None:
        self._words = words

    @staticmethod
    def words(spawner: ForkServerContext) -> Any:
        """New words, for the supervisor to hand to the worker process."""
        return spawner.RawArray("q", _WORDS)

    def begin(self, member: int) -> None:
        """Note that work for `member` begins, or goes on with another chunk: its deadline counts from now."""
        self._words[_MEMBER] = member
        self._words[_BEGAN] = time.monotonic_ns()

    def end(self) -> None:
        """Note that the work ended."""
        self._words[_BEGAN] = IDLE

    @property
    def began_ns(self) -> int:
        """When the present work began, or went on with another chunk; IDLE while there is none."""
        return int(self._words[_BEGAN])

    @property
    def member(self) -> int:
        """The number of the member that the present or the last work is for."""
        return int(self._words[_MEMBER])

    @property
    def memory_bytes(self) -> int:
        """The memory that the process had at its start; 0 until it has started."""
        return int(self._words[_MEMORY])

    @memory_bytes.setter
    def memory_bytes(self, found: int) -> None:
        self._words[_MEMORY] = found
