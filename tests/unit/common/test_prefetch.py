"""prefetch: a hint that changes nothing."""

import numba
import numpy as np
import pytest

from common.layout import TICKER
from common.prefetch import prefetch


def test_a_hint_changes_nothing() -> None:
    """Compiled for words and for records, and as plain Python, the array stays as it is."""

    @numba.njit
    def touch(words, rows):  # type: ignore[no-untyped-def] # numba types it
        prefetch(words, 3)
        prefetch(rows, 1)

    words, rows = np.arange(8), np.zeros(2, TICKER)
    touch(words, rows)
    touch.py_func(words, rows)
    assert words.tolist() == list(range(8))
    assert rows.tobytes() == bytes(rows.nbytes)


def test_only_plain_arrays_are_taken() -> None:
    """An array that is not contiguous, or has two dimensions, is refused when the kernel is compiled."""

    @numba.njit
    def touch(words):  # type: ignore[no-untyped-def] # numba types it
        prefetch(words, 0)

    with pytest.raises(TypeError, match="contiguous one-dimensional"):
        touch(np.zeros((2, 2)))
