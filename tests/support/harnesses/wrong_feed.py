"""`python -m tests.support.harnesses.wrong_feed`: the real feed with a wrong swap.

The flags of each cycle are gone before it is announced, as if the feed offered the buffer that it has just cleared.
"""

import sys
from collections.abc import Callable

from tickflag.common.lifecycle import run_service
from tickflag.common.wire.codec import Swap
from tickflag.services.feed.__main__ import main
from tickflag.services.feed.market.market import MarketWriter


def wrong_swap(market: MarketWriter, send: Callable[[Swap], None], now_ns: int) -> int:
    """Do as `Market.swap` does, without the flags."""
    market.segment.arrays.flags[:] = 0
    return _swap(market, send, now_ns)


_swap = MarketWriter.swap


if __name__ == "__main__":
    MarketWriter.swap = wrong_swap  # type: ignore[assignment,method-assign] # the sabotage
    sys.exit(run_service("feed", main))
