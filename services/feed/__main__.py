"""`python -m services.feed`."""

import sys

import zmq

from common.jit import warming
from common.lifecycle import Stop, run_service
from common.log import Logger
from common.runtime import Runtime
from common.settings import Settings
from services.feed.service import Feed
from services.feed.sources.registry import open_source
from services.feed.warmup import warm_up


def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    source = open_source(settings)
    with warming("feed", lambda: log.info("first start: compiling kernels, this takes some seconds")):
        warm_up()
    context = zmq.Context()
    feed = Feed(settings, runtime, context, source, log)
    try:
        feed.run(stop)
    finally:
        feed.close()
        context.term()


if __name__ == "__main__":
    sys.exit(run_service("feed", main))
