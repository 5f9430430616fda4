"""Whole rows of ticks or candles: made empty, copied, joined, picked.

numpy moves structured rows field by field. Both kinds are whole 8-byte words, and as rows of words they move 5 to 15
times faster.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickflag.common.arrays import Integers, Records
from tickflag.services.feed.recordings.recording import TICK_INPUT

_WORD_BYTES = 8
_FIRST_NUMBER = TICK_INPUT.fields["price"][1] // _WORD_BYTES if TICK_INPUT.fields else 0


def _words(records: Records) -> Integers:
    return records.view(np.int64).reshape(len(records), records.dtype.itemsize // _WORD_BYTES)


def _records(words: Integers, dtype: np.dtype[Any]) -> Records:
    records: Records = words.reshape(-1).view(dtype)
    return records


def empty_ticks(size: int) -> Records:
    """`size` ticks that state nothing yet: every price and amount is NaN, there is no trade id, times and symbols are
    unset."""
    ticks: Records = np.empty(size, TICK_INPUT)
    _words(ticks).view(np.float64)[:, _FIRST_NUMBER:] = np.nan
    ticks["_pad"] = 0
    ticks["trade_id"] = 0
    return ticks


def copied(records: Records) -> Records:
    """The same rows in memory of their own."""
    return _records(_words(records).copy(), records.dtype)


def joined(parts: Sequence[Records]) -> Records:
    """The rows of one or more parts of one kind, one after the other."""
    return _records(np.concatenate([_words(part) for part in parts]), parts[0].dtype)


def pick(records: Records, which: NDArray[np.intp]) -> Records:
    """The rows of these indexes, in their order."""
    return _records(np.take(_words(records), which, axis=0), records.dtype)
