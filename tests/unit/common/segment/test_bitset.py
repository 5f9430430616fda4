import numpy as np
import pytest

from tests.support.stand_ins.bit_set import BitSet

pytestmark = pytest.mark.usefixtures("kernels")

SIZES = [1, 31, 32, 33, 63, 64, 65, 1234]


@pytest.mark.parametrize("size", SIZES)
def test_a_new_bitset_is_empty(size: int) -> None:
    """No bit is set at first, and the bits take the fewest words that hold them."""
    bits = BitSet(size)
    assert bits.count() == 0
    assert bits.indices().tolist() == []
    assert bits.words.nbytes == -(-size // 32) * 4


@pytest.mark.parametrize("size", SIZES)
def test_setting_and_clearing_say_whether_they_changed_anything(size: int) -> None:
    """`set` is True where the bit was clear, `clear` where it was set, so counts are exact without further work."""
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
    for bit in reversed(range(size)):
        bits.set(bit)
    assert bits.count() == size
    assert bits.indices().tolist() == list(range(size))
    bits.clear_all()
    assert bits.count() == 0


def test_bitsets_over_the_same_words_are_one() -> None:
    """A bit set through one is seen through the other."""
    words = np.zeros(2, np.uint32)
    here, there = BitSet(40, words), BitSet(40, words)
    here.set(35)
    assert there.is_set(35)
    assert words.tolist() == [0, 1 << 3]


def test_bits_beyond_the_size_end_nothing() -> None:
    """Shared words may have bits set beyond the size: listing stays within the memory."""
    words = np.full(2, np.uint32(0xFFFFFFFF))
    assert BitSet(33, words).indices().tolist() == list(range(64))


def test_read_only_words_can_be_read() -> None:
    """The bits of a read-only mapping can be read."""
    words = np.array([0b101], np.uint32)
    words.flags.writeable = False
    bits = BitSet(32, words)
    assert bits.is_set(2)
    assert bits.count() == 2
    assert bits.indices().tolist() == [0, 2]
