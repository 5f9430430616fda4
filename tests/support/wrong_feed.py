"""`python -m tests.support.wrong_feed`: the real feed with a wrong swap: of each cycle the flags are gone before it is
announced, as if the buffer handed out were the one that was just cleared."""

import sys
from collections.abc import Callable

from common.codec import Swap
from common.lifecycle import run_service
from services.feed.__main__ import main
from services.feed.market import Market


def wrong_swap(market: Market, send: Callable[[Swap], None], now_ns: int) -> int:
    """As `Market.swap`, without the flags."""
    market.segment.arrays.flags[:] = 0
    return _swap(market, send, now_ns)


_swap = Market.swap


if __name__ == "__main__":
    Market.swap = wrong_swap  # type: ignore[assignment,method-assign] # the sabotage
    sys.exit(run_service("feed", main))
