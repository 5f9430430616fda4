"""Warm-up: runs the writer's kernels on a tiny market, which compiles them or loads them from the cache."""

import tempfile
from pathlib import Path

import numpy as np

from tickflag.common.jit import warming
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.updates import KLINE, Batch, ticks


def warm_up() -> None:
    """Run every kernel once."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(Path(folder), "warm")
        runtime.prepare()
        with Segment.create(runtime, layout.plan(2, 2, (60,))) as segment:
            market = MarketWriter(segment, NS_PER_S, 0)
            market.slot("WARM")
            batch = ticks(1)
            batch["event_ns"] = NS_PER_S
            market.apply(Batch(batch), NS_PER_S)
            market.apply(Batch(np.zeros(0, KLINE)), NS_PER_S)
            market.close_due(120 * NS_PER_S, NS_PER_S)
            market.announce_due(2 * NS_PER_S)
            market.swap(lambda _event: None, 2 * NS_PER_S)
            market.beat(2 * NS_PER_S)
            del market


if __name__ == "__main__":
    with warming("feed", lambda: None):  # scripts/setup says it
        warm_up()
