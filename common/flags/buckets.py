"""Buckets: a stable number for each feature flag and identity, by flagd's rules for `fractional`.

The hash is murmur3 (32 bit, seed 0) of the feature flag's key directly followed by the identity, in UTF-8. The hash
mixes well but is not secret: whoever chooses a name can choose its bucket. The bucket is hash x total weight >> 32, in
whole numbers. The weights here add up to 100,000, so one bucket is 0.001 %.

Source: flagd, the operation `fractional` (https://flagd.dev/reference/custom-operations/fractional-operation/) and the
decision on high-precision bucketing.
"""

from collections.abc import Sequence
from typing import Annotated

import mmh3
import numpy as np
from pydantic import AfterValidator, Field

from tickflag.common.arrays import SmallIntegers

BUCKETS = 100_000
PER_PERCENT = BUCKETS // 100


def bucket(flag: str, identity: str) -> int:
    """The bucket, 0 to 99,999: the same in every process and for ever, and independent of other feature flags."""
    return (mmh3.hash(f"{flag}{identity}", signed=False) * BUCKETS) >> 32


def buckets(flag: str, identities: Sequence[str]) -> SmallIntegers:
    """The bucket of each identity, in their order."""
    hashes = (mmh3.hash(f"{flag}{identity}", signed=False) for identity in identities)
    wide = np.fromiter(hashes, np.uint64, len(identities))
    return ((wide * np.uint64(BUCKETS)) >> np.uint64(32)).astype(np.int32)


def points(percentage: float) -> int:
    """The number of buckets in a percentage."""
    return round(percentage * PER_PERCENT)


def _whole_points(percentage: float) -> float:
    if abs(percentage * PER_PERCENT - points(percentage)) > 1e-6:
        raise ValueError("at most three decimals, as 0.001")
    return percentage


Percentage = Annotated[float, Field(ge=0, le=100), AfterValidator(_whole_points)]
