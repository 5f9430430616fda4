"""What the machine lacks, as libraries tell of it."""

import errno
import json

import pytest

from tickflag.common.errors import NO_MEMORY, NO_THREADS, TickflagError, damage_in_words, shortage_of


def _blocked_output() -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, "write could not complete without blocking", 0)


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (MemoryError(), NO_MEMORY),
        (MemoryError("Unable to allocate 7.45 GiB"), NO_MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), NO_MEMORY),
        (ImportError("libarrow.so: failed to map segment from shared object"), NO_MEMORY),
        (ValueError("malloc of size 910464 failed"), NO_MEMORY),
        (MemoryError("realloc of size 910464 failed"), NO_MEMORY),
        (ValueError("malloc of size 88888888888888 failed"), ""),
        (MemoryError("malloc of size 88888888888888 failed"), ""),
        (RuntimeError("can't start new thread"), NO_THREADS),
        (OSError("Failed to launch worker thread: Resource temporarily unavailable"), NO_THREADS),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), NO_THREADS),
        (_blocked_output(), ""),
        (ModuleNotFoundError("No module named 'pyarrow'"), ""),
        (OSError(errno.ENOSPC, "No space left on device"), ""),
        (RuntimeError("strange"), ""),
    ],
)
def test_what_the_machine_lacks(error: Exception, lacking: str) -> None:
    """Memory, or threads and processes; a size that no file could need tells of a damaged file instead."""
    assert shortage_of(error) == lacking


def test_the_error_behind_counts() -> None:
    """Libraries wrap it in errors of their own, with `from` or without; errors may go round in a circle."""
    wrapped = TickflagError("not found")
    wrapped.__context__ = MemoryError()  # as `raise ... from None` leaves it
    assert shortage_of(wrapped) == NO_MEMORY
    wrapped.__context__, wrapped.__cause__ = None, MemoryError()
    assert shortage_of(wrapped) == NO_MEMORY
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert shortage_of(one) == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError("odd"), "it cannot be read"),
        (json.JSONDecodeError("Expecting value", "\n\n?", 2), "no JSON: Expecting value, line 3"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "no text"),
        (KeyError("names"), "'names' is missing, or means nothing"),
        (KeyError(), "a value is of another kind, or out of its limits"),
        (TypeError("'int' object is not iterable"), "a value is of another kind, or out of its limits"),
    ],
)
def test_damage_in_words(error: Exception, words: str) -> None:
    """What is wrong with a file, and nothing of Python."""
    assert damage_in_words(error) == words
