"""Buckets, the same as flagd's."""

import math

import mmh3
import pytest
from pydantic import TypeAdapter, ValidationError

from tickflag.common.flags.buckets import BUCKETS, Percentage, bucket, buckets, points

percentage: TypeAdapter[float] = TypeAdapter(Percentage)


def test_a_bucket_is_that_of_key_and_identity() -> None:
    """The bucket is the hash of key and identity, joined without a separator, times the number of buckets, shifted by
    32 bits."""
    assert bucket("flag", "rsi") == mmh3.hash(b"flagrsi", 0, signed=False) * 100_000 // 2**32
    assert bucket("flag", "π") == mmh3.hash("flagπ".encode(), 0, signed=False) * 100_000 // 2**32


@pytest.mark.parametrize(
    ("flag", "identity", "published"),
    [
        ("", "", 0),
        ("!", "", 0x72661CF4),
        ("!", "C", 0xA0F7B07A),
        ("!C", "e", 0x7E4A8634),
        ("\0", "", 0x514E28B7),
        ("\0", "\0", 0x30F4C306),
        ("\0", "\0\0", 0x85F0B427),
        ("\0\0", "\0\0", 0x2362F9DE),
    ],
)
def test_the_hash_is_murmur3(flag: str, identity: str, published: int) -> None:
    """The values are published ones of the 32-bit hash without seed, for every length of its last block."""
    assert bucket(flag, identity) == published * 100_000 // 2**32


def test_buckets_are_spread_evenly() -> None:
    """Each tenth of the buckets has its share of 20,000 identities, within five standard deviations."""
    count = 20_000
    tenths = [0] * 10
    for number in range(count):
        tenths[bucket("delta_results", f"trader-{number}") * 10 // BUCKETS] += 1
    bound = 5 * math.sqrt(count * 0.1 * 0.9)
    assert all(abs(found - count * 0.1) < bound for found in tenths)


def test_many_at_once_have_the_same_buckets() -> None:
    """The highest buckets and names beyond ASCII are the same too."""
    names = [f"S{number}/USDT" for number in range(2_000)] + ["π", ""]
    assert buckets("audit", names).tolist() == [bucket("audit", name) for name in names]


def test_flags_are_independent() -> None:
    """Of the first half for one feature flag, half is in the first half for another."""
    both = sum(bucket("audit", f"t{n}") < 50_000 > bucket("batch_mode", f"t{n}") for n in range(4_000))
    assert abs(both - 1_000) < 5 * math.sqrt(4_000 * 0.25 * 0.75)


def test_percentages_go_down_to_a_thousandth() -> None:
    """Percentages are whole buckets, however binary numbers round them."""
    assert [points(percentage.validate_python(value)) for value in (0, 0.001, 33.333, 57.1, 100)] == [
        0,
        1,
        33_333,
        57_100,
        100_000,
    ]


@pytest.mark.parametrize("value", [-0.001, 100.001, 0.0005, math.nan, math.inf, "x", None])
def test_other_percentages_are_refused(value: object) -> None:
    """A percentage out of range, too fine or no number is refused."""
    with pytest.raises(ValidationError):
        percentage.validate_python(value)
