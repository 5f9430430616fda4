"""Growth: a full segment is followed by a generation of twice the capacity, with everything it held."""

from common import layout
from common.runtime import Runtime
from common.segment import Segment
from services.feed.market import Market
from services.feed.state import copy_state


def grown(market: Market, runtime: Runtime) -> Market:
    """A market over a new segment of twice the capacity, not yet published; names, rows and rings are copied.

    The caller has announced and swapped whatever was pending, publishes the new segment and removes the old one.
    """
    old = market.segment
    plan = layout.plan(old.layout.capacity * 2, old.layout.depth, old.layout.intervals_s)
    segment = Segment.create(runtime, plan, lineage=old.lineage)
    count = len(market.symbols)
    before, after = old.arrays, segment.arrays
    segment.names[:count] = old.names[:count]
    after.versions[:count] = before.versions[:count]
    after.heads[:, :count] = before.heads[:, :count]
    after.tickers[:count] = before.tickers[:count]
    after.opens[:count] = before.opens[:count]
    after.rings[:, :count] = before.rings[:, :count]
    after.living[:] = before.living
    fresh = Market(segment, market.rate_limit_ns, market.watermark_ns, market.native_s)
    copy_state(market.state, fresh.state, count)
    return fresh
