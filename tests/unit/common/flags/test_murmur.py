"""The hash, against published values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.flags.murmur import murmur3_32, murmur3_32_each


def test_the_verification_value_of_smhasher() -> None:
    """A hash of the hashes of 0, 0 1, 0 1 2, ... with seeds 256, 255, ..., as the reference's own test has it."""
    hashes = [murmur3_32(bytes(range(length)), 256 - length).to_bytes(4, "little") for length in range(256)]
    assert murmur3_32(b"".join(hashes)) == 0xB0F57EE3


@pytest.mark.parametrize(
    ("data", "seed", "expected"),
    [
        (b"", 0, 0),
        (b"", 1, 0x514E28B7),
        (b"", 0xFFFFFFFF, 0x81F16F39),
        (b"\xff\xff\xff\xff", 0, 0x76293B50),
        (b"\x21\x43\x65\x87", 0, 0xF55B516B),
        (b"\x21\x43\x65\x87", 0x5082EDEE, 0x2362F9DE),
        (b"\x21\x43\x65", 0, 0x7E4A8634),
        (b"\x21\x43", 0, 0xA0F7B07A),
        (b"\x21", 0, 0x72661CF4),
        (b"\0\0\0\0", 0, 0x2362F9DE),
        (b"\0\0\0", 0, 0x85F0B427),
        (b"\0\0", 0, 0x30F4C306),
        (b"\0", 0, 0x514E28B7),
        (b"aaaa", 0x9747B28C, 0x5A97808A),
        (b"abc", 0x9747B28C, 0xC84A62DD),
        (b"Hello, world!", 0x9747B28C, 0x24884CBA),
        ("ππππππππ".encode(), 0x9747B28C, 0xD58063C1),
        (b"The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD),
    ],
)
def test_known_hashes(data: bytes, seed: int, expected: int) -> None:
    """Of every length of the tail, with and without seed, beyond ASCII."""
    assert murmur3_32(data, seed) == expected


@given(st.lists(st.binary(max_size=13)))
def test_many_at_once_are_the_same(keys: list[bytes]) -> None:
    """Of any lengths, in their order."""
    assert murmur3_32_each(keys).tolist() == [murmur3_32(key) for key in keys]
