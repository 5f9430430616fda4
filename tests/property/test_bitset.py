import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stand_ins.bit_set import BitSet
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.segment.layout import flag_words

SIZES = [1, 31, 32, 33, 63, 64, 65, 1234]

# What is done to a bit, or to all bits. Bits are taken modulo the size, and the edges of words are likely.
_BITS = st.integers(0, 2000) | st.sampled_from([0, 30, 31, 32, 33, 62, 63, 64, 65, 1233])
_STEPS = st.lists(st.tuples(st.sampled_from(["set", "set", "clear", "is_set", "clear_all"]), _BITS), max_size=60)


def _follow(size: int, steps: list[tuple[str, int]]) -> None:
    """Apply the steps to a bitset and to a set of ints, and compare after each."""
    words = np.zeros(flag_words(size), np.uint32)
    bits, model = BitSet(size, words), set[int]()
    for step, number in steps:
        bit = number % size
        match step:
            case "set":
                assert bits.set(bit) == (bit not in model)
                model.add(bit)
            case "clear":
                assert bits.clear(bit) == (bit in model)
                model.discard(bit)
            case "is_set":
                assert bits.is_set(bit) == (bit in model)
            case "clear_all":
                bits.clear_all()
                model.clear()
        assert bits.count() == len(model)
        assert bits.indices().tolist() == sorted(model)
    packed = np.unpackbits(words.view(np.uint8), bitorder="little")
    assert np.flatnonzero(packed).tolist() == sorted(model)


@pytest.mark.parametrize("size", SIZES)
@given(steps=_STEPS)
@settings(deadline=None, max_examples=40)
def test_a_bitset_is_a_set_of_ints(size: int, steps: list[tuple[str, int]]) -> None:
    """Whatever is set and cleared, bits, count and indices are those of a set; every bit stays where it is in
    memory."""
    _follow(size, steps)


@pytest.mark.parametrize("size", SIZES)
@given(steps=_STEPS)
@settings(deadline=None, max_examples=10)
def test_the_plain_twins_are_a_set_of_ints(size: int, steps: list[tuple[str, int]]) -> None:
    """The kernels' bodies without the compiler do the same."""
    with plain_kernels():
        _follow(size, steps)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40))
@settings(deadline=None, max_examples=50)
def test_any_words_are_read_alike(values: list[int]) -> None:
    """Count and indices of any words are those that numpy finds, compiled and plain."""
    words = np.array(values, np.uint32)
    expected = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist()
    bits = BitSet(32 * len(values), words)
    assert (bits.indices().tolist(), bits.count()) == (expected, len(expected))
    with plain_kernels():
        assert (bits.indices().tolist(), bits.count()) == (expected, len(expected))
