"""Warm-up: the writer's kernels, compiled or loaded from the cache by running them on a tiny market."""

import sys
import tempfile
from pathlib import Path

import numpy as np

from common import layout
from common.jit import warming
from common.runtime import Runtime
from common.segment import Segment
from services.feed.market import NS, Market
from services.feed.updates import KLINE, Batch, ticks


def warm_up() -> None:
    """Run every kernel once."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(Path(folder), "warm")
        runtime.prepare()
        with Segment.create(runtime, layout.plan(2, 2, (60,))) as segment:
            market = Market(segment, NS, 0)
            market.slot("WARM")
            batch = ticks(1)
            batch["event_ns"] = NS
            market.apply(Batch(batch), NS)
            market.apply(Batch(np.zeros(0, KLINE)), NS)
            market.close_due(120 * NS, NS)
            market.announce_due(2 * NS)
            market.swap(lambda _event: None, 2 * NS)
            del market


def _say() -> None:
    sys.stdout.write("feed: compiling kernels, this takes some seconds\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with warming("feed", _say):
        warm_up()
