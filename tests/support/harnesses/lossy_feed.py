"""`python -m tests.support.lossy_feed SHARE`: the real feed, whose publisher loses that share of the swap events."""

import random
import sys

import zmq

from common.codec import Swap
from common.lifecycle import Stop, run_service
from common.log import Logger
from common.runtime import Runtime
from common.settings import Settings
from services.feed.publisher import Publisher
from services.feed.service import Feed
from services.feed.sources.registry import open_source


class LossyPublisher(Publisher):
    """Loses events, and with everything lost the heartbeats' repetitions too."""

    share = 0.0
    random = random.Random(3)

    def send(self, swap: Swap) -> None:
        if self.random.random() >= self.share:
            super().send(swap)

    def repeat(self) -> None:
        if self.random.random() >= self.share:
            super().repeat()


def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    feed = Feed(settings, runtime, context, open_source(settings), log)
    feed._publisher = LossyPublisher(feed._events)
    try:
        feed.run(stop)
    finally:
        feed.close()
        context.term()


if __name__ == "__main__":
    LossyPublisher.share = float(sys.argv[1])
    sys.exit(run_service("feed", main))
