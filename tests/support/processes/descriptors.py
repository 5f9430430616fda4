"""Descriptors of running processes: how many they have, and that they get no more."""

import os
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.support.processes.waiting import wait_until


@contextmanager
def no_more_descriptors(pid: int, more: int = 0) -> Iterator[None]:
    """Let the process open `more` descriptors than it has, and no further one, within the block."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("prlimit is of Linux")
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = (number for number in range(1 << 20) if number not in used)
    lowest = [next(free) for _ in range(more + 1)][-1]
    former = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, former[1]))
    try:
        yield
    finally:
        if psutil.pid_exists(pid):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, former)


def wait_settled(pids: Iterable[int]) -> None:
    """Wait until the processes have connected to each other: who is let in last finds a descriptor."""
    last: list[list[int]] = [[]]

    def settled() -> bool:
        before, last[0] = last[0], [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]
        return before == last[0]

    wait_until(settled, what="no more connections come", look_s=1.0)  # clients try again ten times a second
