"""What the system lets this process have: descriptors and memory."""

import contextlib
import os
import resource
import socket
import sys

MOST_DESCRIPTORS = 1 << 16
ALLOCATION_FACTOR = 4
"""Allocations of a trader fail at so many times `trader.memory_limit_mb`; its process is ended from the limit on."""
_OF_THE_ENGINE = 64  # descriptors of its own clients, and spare ones
_PAGE = os.sysconf("SC_PAGE_SIZE")


def raise_descriptors() -> None:
    """Raise the soft limit of descriptors as far as this process may, to 65,536 at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(ValueError, OSError):  # macOS may allow less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def descriptor_limit() -> int:
    """How many descriptors this process may have at a time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def descriptors_left() -> int:
    """How many descriptors this process may still open."""
    try:
        used = len(os.listdir("/dev/fd")) - 1  # one is that of the listing
    except OSError:  # not even the folder can be opened
        return 0
    return descriptor_limit() - used


def keeps_descriptors(spare: int) -> bool:
    """Whether this process can open one more descriptor and keep `spare` ones, which is cheap to know: a new one has
    the lowest number that is free."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.fileno() < descriptor_limit() - spare
    except OSError:
        return False


def descriptor_share(parts: int, least: int, most: int) -> int:
    """How many descriptors strangers may take of those that are left: few where the engine itself needs them."""
    return min(most, max(least, (descriptors_left() - _OF_THE_ENGINE) // parts))


def descriptor_shortage(who: str, needed: int) -> str:
    """What is said where this process may open fewer than `needed` descriptors; empty where there are enough."""
    left = descriptors_left()
    if left >= needed:
        return ""
    return (
        f"the limit of {descriptor_limit():,} open files leaves {max(left, 0)} for {who}, which needs {needed}: "
        "raise it (`ulimit -n 1024`, `LimitNOFILE=`)"
    )


def memory_verdict(taken_mb: int, limit_mb: int) -> str:
    """What is said of a process that took more memory than `trader.memory_limit_mb` allows; empty where it did not."""
    return f"took {taken_mb:,} MB of memory, of {limit_mb:,} (`trader.memory_limit_mb`)" if taken_mb > limit_mb else ""


def limit_memory(more_bytes: int) -> None:
    """Let this process's allocations fail where they would take so much more memory; where the machine runs out of it
    before, let the kernel end this process first. Linux only; a stricter limit stays."""
    with open("/proc/self/statm") as file:
        data_bytes = int(file.read().split()[5]) * _PAGE
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data_bytes + more_bytes
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
