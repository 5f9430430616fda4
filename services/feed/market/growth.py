"""Growth: from a full segment to a new generation of twice the capacity, with all contents."""

from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.state import copy_state


def grown(market: MarketWriter, runtime: Runtime) -> MarketWriter:
    """A writer of a new segment of twice the capacity, with a copy of all names, rows and rings.

    The caller first announces and swaps what is pending, and afterwards publishes the new segment and removes the old
    one. Raises SegmentError or ValueError where the new segment cannot be made.
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
    fresh = MarketWriter(segment, market.rate_limit_ns, market.watermark_ns)
    copy_state(market.state, fresh.state, count)
    return fresh
