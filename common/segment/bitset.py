"""Bitsets: one bit a symbol in 32-bit words of memory that threads and processes may share.

Setting and clearing single bits is atomic, from any number of threads and processes. The kernels that go through all
words look at one after the other: bits that change meanwhile may or may not be seen, which is why the update protocol
checks a stamp around them. 32-bit words, because two sets for 4,000 symbols then take exactly 1,000 bytes.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.common.segment.atomics import fetch_and, fetch_or, load_relaxed, population, store_relaxed, trailing_zeros
from tickflag.common.segment.layout import WORD_BITS


@kernel
def set_bit(words: Any, bit: int) -> bool:
    """Set one bit; True where that changed it. A bit already set costs one load."""
    mask = np.uint32(1) << np.uint32(bit % WORD_BITS)
    word = bit // WORD_BITS
    if load_relaxed(words, word) & mask:
        return False
    return bool((fetch_or(words, word, mask) & mask) == 0)


@kernel
def has_bit(words: Any, bit: int) -> bool:
    """Whether a bit is set."""
    return bool(load_relaxed(words, bit // WORD_BITS) & (np.uint32(1) << np.uint32(bit % WORD_BITS)))


@kernel
def clear_bit(words: Any, bit: int) -> bool:
    """Clear one bit; True where that changed it."""
    mask = np.uint32(1) << np.uint32(bit % WORD_BITS)
    return bool((fetch_and(words, bit // WORD_BITS, ~mask) & mask) != 0)


@kernel
def clear_words(words: Any) -> None:
    """Clear every bit, word by word."""
    for i in range(len(words)):
        store_relaxed(words, i, np.uint32(0))


@kernel
def copy_words(words: Any, out: Any) -> None:
    """Copy every word, each untorn."""
    for i in range(len(words)):
        out[i] = load_relaxed(words, i)


@kernel
def set_indices(words: Any, out: Any) -> int:
    """Write the numbers of the set bits to `out`, ascending; gives how many. `out` must have room for all."""
    n = 0
    for i in range(len(words)):
        word = load_relaxed(words, i)
        while word:
            out[n] = i * WORD_BITS + trailing_zeros(word)
            n += 1
            word = word & (word - np.uint32(1))
    return n


@kernel
def count_bits(words: Any) -> int:
    """How many bits are set."""
    n = 0
    for i in range(len(words)):
        n += population(load_relaxed(words, i))
    return n
