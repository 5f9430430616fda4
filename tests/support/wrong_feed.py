"""`python -m tests.support.wrong_feed`: the real feed with a wrong swap: of each cycle the flags are gone before it is
announced, as if the buffer handed out were the one that was just cleared."""

import sys
from collections.abc import Callable

import zmq

from common.codec import Swap
from common.lifecycle import Stop, run_service
from common.log import Logger
from common.runtime import Runtime
from common.settings import Settings
from services.feed.market import Market
from services.feed.service import Feed
from services.feed.sources.registry import open_source


def wrong_swap(market: Market, send: Callable[[Swap], None], now_ns: int) -> int:
    """As `Market.swap`, without the flags."""
    market.segment.arrays.flags[:] = 0
    return _swap(market, send, now_ns)


_swap = Market.swap


def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    Market.swap = wrong_swap  # type: ignore[assignment,method-assign] # the sabotage
    feed = Feed(settings, runtime, context, open_source(settings), log)
    try:
        feed.run(stop)
    finally:
        feed.close()
        context.term()


if __name__ == "__main__":
    sys.exit(run_service("feed", main))
