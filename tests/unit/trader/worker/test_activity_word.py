"""What a worker process is working on, as its supervisor reads it."""

import time
from multiprocessing import get_context

from tickflag.services.trader.worker.activity_word import IDLE, ActivityWord


def test_both_ends_see_the_same() -> None:
    """Both ends see since when and for which member it works; the member stays readable after the work."""
    words = ActivityWord.words(get_context("forkserver"))
    worker, supervisor = ActivityWord(words), ActivityWord(words)
    assert (supervisor.began_ns, supervisor.member, supervisor.memory_bytes) == (IDLE, 0, 0)
    worker.memory_bytes = 1 << 33
    before_ns = time.monotonic_ns()
    worker.begin(7)
    assert before_ns <= supervisor.began_ns <= time.monotonic_ns()
    worker.end()
    assert (supervisor.began_ns, supervisor.member, supervisor.memory_bytes) == (IDLE, 7, 1 << 33)
