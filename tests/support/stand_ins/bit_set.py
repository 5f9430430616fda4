"""BitSet: the kernels of a bitset, called as the methods of one object."""

import numpy as np

from tickflag.common.arrays import Slots, Words
from tickflag.common.segment import bitset
from tickflag.common.segment.layout import WORD_BITS, flag_words


class BitSet:
    """`size` bits over `words`, or over fresh private memory. Inside `plain_kernels` the plain twins are called."""

    def __init__(self, size: int, words: Words | None = None) -> None:
        self.words = np.zeros(flag_words(size), np.uint32) if words is None else words

    def set(self, bit: int) -> bool:
        return bool(bitset.set_bit(self.words, bit))

    def clear(self, bit: int) -> bool:
        return bool(bitset.clear_bit(self.words, bit))

    def is_set(self, bit: int) -> bool:
        return bool(self.words[bit // WORD_BITS] >> np.uint32(bit % WORD_BITS) & np.uint32(1))

    def clear_all(self) -> None:
        bitset.clear_words(self.words)

    def indices(self) -> Slots:
        """The numbers of the set bits, ascending."""
        out = np.empty(len(self.words) * WORD_BITS, np.int32)  # shared words may have bits beyond the size
        return out[: bitset.set_indices(self.words, out)]

    def count(self) -> int:
        return int(bitset.count_bits(self.words))
