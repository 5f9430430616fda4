from typing import Any

import numpy as np
import pytest

from common.bitset import BitSet

pytestmark = pytest.mark.usefixtures("kernels")

SIZES = [1, 31, 32, 33, 63, 64, 65, 1234]


@pytest.mark.parametrize("size", SIZES)
def test_a_new_bitset_is_empty(size: int) -> None:
    """No bit is set at first, and the bits take the fewest words that hold them."""
    bits = BitSet(size)
    assert bits.count() == 0
    assert bits.indices().tolist() == []
    assert bits.nbytes == -(-size // 32) * 4


@pytest.mark.parametrize("size", SIZES)
def test_setting_and_clearing_say_whether_they_changed_anything(size: int) -> None:
    """`set` is True where the bit was clear, `clear` where it was set: exact counts for free."""
    bits = BitSet(size)
    for bit in {0, size // 2, size - 1}:
        assert not bits.clear(bit)
        assert bits.set(bit)
        assert not bits.set(bit)
        assert bits.is_set(bit)
        assert bits.indices().tolist() == [bit]
        assert bits.clear(bit)
        assert not bits.is_set(bit)


@pytest.mark.parametrize("size", SIZES)
def test_every_bit_has_a_place_of_its_own(size: int) -> None:
    """All bits can be set, are counted, listed in ascending order and cleared together."""
    bits = BitSet(size)
    bits.update(reversed(range(size)))
    assert bits.count() == size
    assert bits.indices().tolist() == list(range(size))
    bits.clear_all()
    assert bits.count() == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", ["set", "clear", "is_set"])
def test_a_bit_out_of_range_is_refused(size: int, method: str) -> None:
    """A bit below 0 or beyond the size is an IndexError that names both, not another's memory."""
    for bit in (-1, size):
        with pytest.raises(IndexError, match=rf"bit {bit} is outside 0 to {size - 1}"):
            getattr(BitSet(size), method)(bit)


@pytest.mark.parametrize("size", [0, -1])
def test_a_bitset_has_at_least_one_bit(size: int) -> None:
    """An empty bitset is refused."""
    with pytest.raises(ValueError, match="at least one bit"):
        BitSet(size)


@pytest.mark.parametrize("words", [np.zeros(2, np.uint32), np.zeros(1, np.uint64), np.zeros((1, 1), np.uint32)])
def test_words_that_do_not_fit_are_refused(words: Any) -> None:
    """Words of another number, size or shape than the bits need are refused."""
    with pytest.raises(ValueError, match="32 bits take 1 words of 4 bytes"):
        BitSet(32, words)


def test_bitsets_over_the_same_words_are_one() -> None:
    """A bit set through one is seen through the other."""
    words = np.zeros(2, np.uint32)
    here, there = BitSet(40, words), BitSet(40, words)
    here.set(35)
    assert there.is_set(35)
    assert words.tolist() == [0, 1 << 3]


def test_bits_beyond_the_size_end_nothing() -> None:
    """Shared words may have bits set that are none of ours: listing them stays inside its memory."""
    words = np.full(2, np.uint32(0xFFFFFFFF))
    assert BitSet(33, words).indices().tolist() == list(range(64))


def test_read_only_words_can_be_read() -> None:
    """Over a read-only mapping the bits can be looked at."""
    words = np.array([0b101], np.uint32)
    words.flags.writeable = False
    bits = BitSet(32, words)
    assert bits.is_set(2)
    assert bits.count() == 2
    assert bits.indices().tolist() == [0, 2]
