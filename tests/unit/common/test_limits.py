"""Limits are for a process's whole life, so each test has a process of its own."""

import errno
import os
import resource
import socket
import sys

import pytest

from tests.support.processes.commands import PYTHON, run_command
from tickflag.common import limits

LIMITED = """
import resource
from tickflag.common.limits import limit_memory
resource.setrlimit(resource.RLIMIT_DATA, ({most}, {most}))
limit_memory({more})
soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
assert soft == hard
print(soft, open("/proc/self/oom_score_adj").read().strip())
"""
MOST = 1 << 34


def _limit(more: int, most: str) -> tuple[int, int]:
    """The limit of a process that limited itself, and how gladly the kernel ends it."""
    done = run_command([*PYTHON, "-c", LIMITED.format(more=more, most=most)])
    limit, score = done.stdout.split() or [done.stderr]
    return int(limit), int(score)


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process this way")


@linux
def test_memory_is_limited_beyond_what_is_taken_already() -> None:
    """And the kernel that runs out of memory ends this process before others."""
    limit, score = _limit(1 << 30, "resource.RLIM_INFINITY")
    assert 1 << 30 < limit < 1 << 32
    assert score == 500


@linux
def test_a_limit_that_is_stricter_stays() -> None:
    """No process can raise a hard limit."""
    assert _limit(1 << 40, str(MOST))[0] == MOST


INFINITY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [
        (1_024, 4_096, 4_096),
        (1_024, 1 << 20, 1 << 16),
        (256, INFINITY, 1 << 16),
        (4_096, 4_096, None),
        (1 << 17, 1 << 20, None),
        (INFINITY, INFINITY, None),
    ],
)
def test_the_soft_limit_is_raised(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, wanted: int | None) -> None:
    """As far as the hard limit, or what the engine can use; never lowered."""
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _what, both: raised.append(both))
    limits.raise_descriptors()
    assert raised == ([] if wanted is None else [(wanted, hard)])


def test_a_system_that_does_not_let_it_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit stays."""

    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, 4_096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    limits.raise_descriptors()


def test_descriptors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each open one counts; where not even the count can be made, none is left."""
    before = limits.descriptors_left()
    ends = os.pipe()
    assert limits.descriptors_left() == before - 2
    for end in ends:
        os.close(end)
    assert limits.descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def full(_path: str) -> list[str]:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as short:
        short.setattr(os, "listdir", full)
        assert limits.descriptors_left() == 0
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (INFINITY, INFINITY))
    assert limits.descriptor_limit() == sys.maxsize


def test_what_is_said_of_too_much_memory() -> None:
    """The limit itself is not too much."""
    assert limits.memory_verdict(1_024, 1_024) == ""
    assert limits.memory_verdict(1_025, 1_024) == "took 1,025 MB of memory, of 1,024 (`trader.memory_limit_mb`)"


def test_descriptors_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the number of the next descriptor; where there is none, none are."""
    with socket.socket(socket.AF_UNIX) as probe:
        number = probe.fileno()
    monkeypatch.setattr(limits, "descriptor_limit", lambda: number + 11)
    assert limits.keeps_descriptors(10)
    assert not limits.keeps_descriptors(11)

    def short(_family: int) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", short)
    assert not limits.keeps_descriptors(0)


@pytest.mark.parametrize(("left", "share"), [(10, 6), (80, 8), (400, 128)])
def test_a_share_of_descriptors(monkeypatch: pytest.MonkeyPatch, left: int, share: int) -> None:
    """A few always, and never more than wanted."""
    monkeypatch.setattr(limits, "descriptors_left", lambda: left)
    assert limits.descriptor_share(2, 6, 128) == share
