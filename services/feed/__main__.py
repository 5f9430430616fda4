"""`python -m tickflag.services.feed`."""

import sys

import zmq

from tickflag.common.jit import warming
from tickflag.common.lifecycle import Stop, run_service
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.services.feed.service import Feed
from tickflag.services.feed.sources.registry import open_source
from tickflag.services.feed.warmup import warm_up


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
