"""prefetch: a hint that changes nothing."""

import numba
import numpy as np
import pytest

from tickflag.common.segment.layout import TICKER
from tickflag.common.segment.prefetch import prefetch


def test_a_hint_changes_nothing() -> None:
    """Compiled for words, records and a column of them, and as plain Python, prefetch leaves the array as it is."""

    @numba.njit
    def touch(words, rows, column):  # type: ignore[no-untyped-def] # numba types it
        prefetch(words, 3)
        prefetch(rows, 1)
        prefetch(column, 1)

    words, rows = np.arange(8), np.zeros(2, TICKER)
    touch(words, rows, words.reshape(4, 2)[:, 1])
    touch.py_func(words, rows, words)
    assert words.tolist() == list(range(8))
    assert rows.tobytes() == bytes(rows.nbytes)


def test_only_one_dimension_is_taken() -> None:
    """An array of two dimensions is refused when the kernel is compiled."""

    @numba.njit
    def touch(words):  # type: ignore[no-untyped-def] # numba types it
        prefetch(words, 0)

    with pytest.raises(TypeError, match="one-dimensional"):
        touch(np.zeros((2, 2)))
