"""Warm-up: every kernel a trader needs, compiled or loaded from the cache by running it on a tiny market."""

import sys
import tempfile
from pathlib import Path

import numpy as np

from common import layout
from common.intake import Intake
from common.jit import warming
from common.rows import CandleWish, RowReader
from common.runtime import Runtime
from common.segment import Segment
from common.swap import ChannelReader, close_cycle
from common.symbols import SymbolDirectory
from common.traderapi import warmup as indicators
from services.trader.kernels import scores_of_floats, scores_of_mask, scores_of_pair, settle


def warm_up() -> None:
    """Run a reader's kernels once, on memory mapped read-only as it will be."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(Path(folder), "warm")
        runtime.prepare()
        with Segment.create(runtime, layout.plan(2, 2, (60, 300))) as segment:
            arrays = segment.arrays
            arrays.living[layout.SYMBOL_COUNT] = 1
            arrays.versions[0] = 2
            segment.publish(runtime)
            with Segment.attach_current(runtime) as mapped:
                _read(mapped, segment)
    indicators.warm_up()


def _read(mapped: Segment, segment: Segment) -> None:
    SymbolDirectory(mapped).refresh()
    for channel in (0, 1):
        segment.arrays.control[channel * layout.CONTROL_WORDS + layout.OPEN] = 1
        close_cycle(segment.arrays.control, segment.arrays.cycles, channel, 1)
        for wish in (None, CandleWish(0, 2, (4,), True)):
            reader = ChannelReader(mapped, channel, np.ones(2, np.uint8))
            take = reader.take(*reader.observe())
            row_reader = RowReader(mapped, channel, wish, 2)
            rows = row_reader.read(take.slots)
            reader.commit(take, rows.slots, rows.versions, False)
            reader.done = 0  # as if the cycle had just been closed
            assert Intake(reader, row_reader).take(1)
            reader.oldest_ns(reader.take(*reader.observe()))
        status, out = rows.tickers["status"], np.zeros(len(rows.tickers))
        mask = out > 0.0
        scores_of_mask(mask, status, out)
        scores_of_floats(out, status, out)
        scores_of_pair(mask, out, status, out)
    none, work = np.zeros(0, np.int32), np.zeros(2, np.int64)
    settle(none, np.zeros(0), np.zeros(0), work, work, work, none, work, work)


def _say() -> None:
    sys.stdout.write("trader: compiling kernels, this takes some seconds\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with warming("trader", _say):
        warm_up()
