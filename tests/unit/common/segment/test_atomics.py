from typing import Any

import numba
import numpy as np
import pytest

from tickflag.common.segment import atomics
from tickflag.common.segment.atomics import (
    fence_acquire,
    fence_release,
    fetch_and,
    fetch_or,
    load_acquire,
    load_relaxed,
    population,
    store_relaxed,
    store_release,
    trailing_zeros,
)

# Compiled anew in each process, never from the cache, so that the code generators really run.
_fresh = numba.njit(error_model="numpy")


@_fresh
def _loads(words: Any, out: Any) -> None:
    """Load every word in both ways."""
    for i in range(len(words)):
        out[2 * i] = load_relaxed(words, i)
        out[2 * i + 1] = load_acquire(words, i)


@_fresh
def _change(words: Any, value: Any, ones: Any, kept: Any, out: Any) -> None:
    """Store the value in words 0 and 1; then set and clear bits of word 2."""
    store_relaxed(words, 0, value)
    fence_release()
    store_release(words, 1, value)
    fence_acquire()
    out[0] = fetch_or(words, 2, ones)
    out[1] = fetch_and(words, 2, kept)


@_fresh
def _bits(word: Any) -> Any:
    return trailing_zeros(word), population(word)


@pytest.fixture(params=["compiled", "plain"])
def run(request: pytest.FixtureRequest) -> Any:
    """Run one of the functions above, compiled or as plain Python."""
    return (lambda f: f) if request.param == "compiled" else (lambda f: f.py_func)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("dtype", [np.uint32, np.int64])
def test_loads_give_the_word(run: Any, dtype: Any, read_only: bool) -> None:
    """Both loads give the word at the index, also of read-only memory."""
    words = np.array([3, 1, np.iinfo(dtype).max], dtype)
    words.flags.writeable = not read_only
    out = np.zeros(6, dtype)
    run(_loads)(words, out)
    assert out.tolist() == [3, 3, 1, 1, *[np.iinfo(dtype).max] * 2]


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_changes_reach_their_word_only(run: Any, dtype: Any) -> None:
    """Stores write the whole word and nothing beside it. `fetch_or` and `fetch_and` give the word before, and leave its
    or and its and with the mask."""
    largest = dtype(np.iinfo(dtype).max)
    words = np.array([0, 0, 0b1100, 7], dtype)
    out = np.zeros(2, dtype)
    run(_change)(words, largest, dtype(0b0011), dtype(0b0110), out)
    assert out.tolist() == [0b1100, 0b1111]
    assert words.tolist() == [largest, largest, 0b0110, 7]


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_bits_are_counted(run: Any, dtype: Any) -> None:
    """`trailing_zeros` is the lowest bit's number and `population` how many there are, for every single bit."""
    width = np.iinfo(dtype).bits
    for low in range(width):
        word = dtype((np.iinfo(dtype).max >> low) << low)
        assert run(_bits)(word) == (low, width - low)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (np.zeros(4, np.uint8), "4- or 8-byte integers"),
        (np.zeros(4, np.float64), "4- or 8-byte integers"),
        (np.zeros((2, 2), np.int64), "one-dimensional"),
        (np.zeros(8, np.int64)[::2], "contiguous"),
    ],
)
def test_other_memory_is_refused(words: Any, reason: str) -> None:
    """Memory that no processor accesses in one step does not compile."""

    @_fresh
    def load(words: Any) -> Any:
        return load_relaxed(words, 0)

    with pytest.raises(TypeError, match=reason):
        load(words)


@pytest.mark.parametrize("change", [atomics.store_relaxed, atomics.store_release, atomics.fetch_or, atomics.fetch_and])
def test_changing_read_only_memory_does_not_compile(change: Any) -> None:
    """A store into a read-only mapping is an error in Python, and does not end the process."""

    @_fresh
    def write(words: Any) -> None:
        change(words, 0, 1)

    with pytest.raises(TypeError, match="read-only"):
        write(np.frombuffer(bytes(8), np.int64))
