"""BitSet: one bit a symbol in 32-bit words of memory that threads and processes may share.

Setting and clearing single bits is atomic, from any number of threads and processes. `clear_all` and the readers
(`indices`, `count`) look at one word after the other: bits that change meanwhile may or may not be seen, which is
why the update protocol checks a stamp around them. 32-bit words, because two sets for 4,000 symbols then take
exactly 1,000 bytes.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from common.atomics import fetch_and, fetch_or, load_relaxed, population, store_relaxed, trailing_zeros
from common.jit import kernel
from common.layout import WORD_BITS, flag_words

FlagWords = npt.NDArray[np.uint32]


@kernel
def set_bit(words: Any, bit: int) -> bool:
    """Set one bit; True where that changed it. A bit already set costs one load."""
    mask = np.uint32(1) << np.uint32(bit % WORD_BITS)
    word = bit // WORD_BITS
    if load_relaxed(words, word) & mask:
        return False
    return bool((fetch_or(words, word, mask) & mask) == 0)


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


class BitSet:
    """`size` bits over `words`, or over fresh private memory. Raises ValueError for a size or words that do not fit,
    IndexError for a bit out of range."""

    __slots__ = ("size", "words")

    def __init__(self, size: int, words: FlagWords | None = None) -> None:
        if size < 1:
            raise ValueError(f"a bitset needs at least one bit, not {size}")
        if words is None:
            words = np.zeros(flag_words(size), np.uint32)
        if words.dtype != np.uint32 or words.shape != (flag_words(size),):
            raise ValueError(
                f"{size} bits take {flag_words(size)} words of 4 bytes, not {words.shape} of {words.dtype}"
            )
        self.size = size
        self.words = words

    @property
    def nbytes(self) -> int:
        """Bytes of memory the bits take."""
        return self.words.nbytes

    def set(self, bit: int) -> bool:
        """True where the bit was clear before."""
        return bool(set_bit(self.words, self._checked(bit)))

    def clear(self, bit: int) -> bool:
        """True where the bit was set before."""
        return bool(clear_bit(self.words, self._checked(bit)))

    def is_set(self, bit: int) -> bool:
        bit = self._checked(bit)
        return bool(self.words[bit // WORD_BITS] >> np.uint32(bit % WORD_BITS) & np.uint32(1))

    def clear_all(self) -> None:
        clear_words(self.words)

    def indices(self) -> npt.NDArray[np.int32]:
        """The numbers of the set bits, ascending."""
        out = np.empty(len(self.words) * WORD_BITS, np.int32)  # shared words may have bits beyond our size
        return out[: set_indices(self.words, out)]

    def count(self) -> int:
        return int(count_bits(self.words))

    def update(self, bits: Iterable[int]) -> None:
        """Set every one of `bits`."""
        for bit in bits:
            self.set(bit)

    def _checked(self, bit: int) -> int:
        if not 0 <= bit < self.size:
            raise IndexError(f"bit {bit} is outside 0 to {self.size - 1}")
        return bit
