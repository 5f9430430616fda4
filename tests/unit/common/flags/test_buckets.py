"""Buckets, as flagd has them."""

import math

import pytest
from pydantic import TypeAdapter, ValidationError

from common.flags.buckets import BUCKETS, Percentage, bucket, buckets, points
from common.flags.murmur import murmur3_32

percentage: TypeAdapter[float] = TypeAdapter(Percentage)


def test_a_bucket_is_that_of_key_and_identity() -> None:
    """Hash of both, one directly behind the other, times the number of buckets, shifted by 32 bits."""
    assert bucket("flag", "rsi") == murmur3_32(b"flagrsi") * 100_000 // 2**32
    assert bucket("flag", "π") == murmur3_32("flagπ".encode()) * 100_000 // 2**32


def test_buckets_are_spread_evenly() -> None:
    """Of 20,000 identities each tenth of the buckets has its share, within five standard deviations."""
    count = 20_000
    tenths = [0] * 10
    for number in range(count):
        tenths[bucket("delta_results", f"trader-{number}") * 10 // BUCKETS] += 1
    bound = 5 * math.sqrt(count * 0.1 * 0.9)
    assert all(abs(found - count * 0.1) < bound for found in tenths)


def test_many_at_once_have_the_same_buckets() -> None:
    """Also the highest ones, and names beyond ASCII."""
    names = [f"S{number}/USDT" for number in range(2_000)] + ["π", ""]
    assert buckets("audit", names).tolist() == [bucket("audit", name) for name in names]


def test_flags_are_independent() -> None:
    """Who is among the first half for one flag is so for another one by half."""
    both = sum(bucket("audit", f"t{n}") < 50_000 > bucket("batch_mode", f"t{n}") for n in range(4_000))
    assert abs(both - 1_000) < 5 * math.sqrt(4_000 * 0.25 * 0.75)


def test_percentages_go_down_to_a_thousandth() -> None:
    """And are whole buckets, however they are written in binary."""
    assert [points(percentage.validate_python(value)) for value in (0, 0.001, 33.333, 57.1, 100)] == [
        0,
        1,
        33_333,
        57_100,
        100_000,
    ]


@pytest.mark.parametrize("value", [-0.001, 100.001, 0.0005, math.nan, math.inf, "x", None])
def test_other_percentages_are_refused(value: object) -> None:
    """Out of range, too fine, no number."""
    with pytest.raises(ValidationError):
        percentage.validate_python(value)
