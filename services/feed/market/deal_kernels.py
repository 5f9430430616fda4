"""The kernels that know a trade again: by symbol, trade id and event time, among the newest trades with an id.

A table of buckets, each with room for a few trades; in a full bucket the oldest gives way. Only a trade that is not
newer than the symbol's newest one can have come before, so only such a trade is looked up.
"""

from typing import Any

import numpy as np

from tickflag.common.jit import kernel
from tickflag.services.feed.market.state import DEAL_WAYS

_APART = 7919  # buckets between the same ids of two symbols; a prime, as the number of buckets is


@kernel
def _bucket(deals: Any, slot: int, trade_id: int) -> int:
    # Ids mostly count up, so neighbouring buckets hold neighbouring trades and nothing collides.
    return int((trade_id + np.int64(slot) * _APART) % len(deals))


@kernel
def is_known(deals: Any, slot: int, trade_id: int, at_ns: int) -> bool:
    """Whether this trade is among those remembered."""
    ways = deals[_bucket(deals, slot, trade_id)]
    for i in range(DEAL_WAYS):  # noqa: SIM110 - numba compiles no generator
        if ways[i, 1] == trade_id and ways[i, 0] == slot + 1 and ways[i, 2] == at_ns:
            return True
    return False


@kernel
def remember(deals: Any, slot: int, trade_id: int, at_ns: int) -> None:
    """Remember a trade in the place of the bucket's oldest."""
    ways = deals[_bucket(deals, slot, trade_id)]
    oldest = 0
    for i in range(1, DEAL_WAYS):
        if ways[i, 2] < ways[oldest, 2]:
            oldest = i
    ways[oldest, 0], ways[oldest, 1], ways[oldest, 2] = slot + 1, trade_id, at_ns
