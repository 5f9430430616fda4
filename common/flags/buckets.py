"""Buckets: a stable number for each flag and identity, by flagd's rules for `fractional`.

The hash is murmur3 (32 bit, seed 0) of the flag's key directly followed by the identity, in UTF-8. The bucket is
hash x total weight >> 32, in whole numbers. The weights here add up to 100,000, so one bucket is 0.001 %.

Source: flagd, the operation `fractional` (https://flagd.dev/reference/custom-operations/fractional-operation/) and the
decision on high-precision bucketing.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from common.flags.murmur import murmur3_32, murmur3_32_each

BUCKETS = 100_000
PER_PERCENT = BUCKETS // 100


def bucket(flag: str, identity: str) -> int:
    """0 to 99,999; the same in every process, for ever, and independent of other flags."""
    return (murmur3_32(f"{flag}{identity}".encode()) * BUCKETS) >> 32


def buckets(flag: str, identities: Sequence[str]) -> NDArray[np.int32]:
    """The bucket of each."""
    hashes = murmur3_32_each([f"{flag}{identity}".encode() for identity in identities])
    return ((hashes.astype(np.uint64) * np.uint64(BUCKETS)) >> np.uint64(32)).astype(np.int32)


def points(percentage: float) -> int:
    """The buckets that a percentage has."""
    return round(percentage * PER_PERCENT)


def _whole_points(percentage: float) -> float:
    if abs(percentage * PER_PERCENT - points(percentage)) > 1e-6:
        raise ValueError("at most three decimals, as 0.001")
    return percentage


Percentage = Annotated[float, Field(ge=0, le=100), AfterValidator(_whole_points)]
