"""The real feed, whose publisher loses a share of the swap events.

Run it as `python -m tests.support.harnesses.lossy_feed SHARE`.
"""

import random
import sys

import zmq

from tickflag.common.lifecycle import Stop, run_service
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.codec import Swap
from tickflag.services.feed.publisher import SwapPublisher
from tickflag.services.feed.service import Feed
from tickflag.services.feed.sources.registry import open_source


class LossyPublisher(SwapPublisher):
    """Loses events; where it loses all of them, the repetitions in heartbeats too."""

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
