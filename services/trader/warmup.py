"""Warm-up: runs every kernel that a trader needs on a tiny market, and so compiles it or loads it from the cache."""

import tempfile
from pathlib import Path

import numpy as np

from tickflag.common.jit import warming
from tickflag.common.protocol.cycles import close_cycle
from tickflag.common.protocol.fast_path import FastPath
from tickflag.common.protocol.heartbeat import last_beat
from tickflag.common.protocol.reader import ChannelReader
from tickflag.common.protocol.rows import CandleWish, RowReader
from tickflag.common.protocol.status import status_changes
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.traderapi import warmup as indicators
from tickflag.services.trader.evaluation.match_kernels import scores_of_floats, scores_of_mask, scores_of_pair, settle


def warm_up() -> None:
    """Run the kernels of a reader once. The memory is mapped read-only, as it is in a worker."""
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
    status_changes(mapped.arrays.living)
    last_beat(mapped.arrays.living)
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
            assert FastPath(reader, row_reader).take(1)
            reader.oldest_ns(reader.take(*reader.observe()))
        status, out = rows.tickers["status"], np.zeros(len(rows.tickers))
        mask = out > 0.0
        scores_of_mask(mask, status, out)
        scores_of_floats(out, status, out)
        scores_of_pair(mask, out, status, out)
    work = np.zeros(2, np.int64)
    settle(np.zeros(0, np.int32), np.zeros(0), np.zeros(0), work, work, work)


if __name__ == "__main__":
    with warming("trader", lambda: None):  # scripts/setup says it
        warm_up()
