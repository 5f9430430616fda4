"""Coverage: the time from each tick's creation to the first evaluation that saw it or a newer tick of its symbol."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.bench.rigs.load import Load
from tickflag.common.arrays import Integers


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, over all ticks, also those that a newer tick overtook before any evaluation."""

    p50: float
    p99: float
    worst: float
    count: int
    missing: int
    """Ticks that were never covered: lost, or not processed in time."""


def delays_ms(load: Load, start_ns: int, times: Integers, seqs: Integers, ticks: Integers) -> npt.NDArray[np.float64]:
    """Delay of each of `ticks` (numbers from 1). `times` and `seqs` tell what was seen when, in the order of time. NaN:
    never covered."""
    real = seqs > 0
    times, seqs = times[real], seqs[real]
    slots = load.slots.astype(np.int64)
    span = load.count + 1
    keys = slots[seqs - 1] * span + seqs
    order = np.argsort(keys, kind="stable")
    keys, times = keys[order], times[order]
    wanted = slots[ticks - 1] * span + ticks
    at = np.searchsorted(keys, wanted)
    inside = at < len(keys)
    at[~inside] = 0
    found = inside & (keys[at] // span == slots[ticks - 1]) if len(keys) else np.zeros(len(ticks), np.bool_)
    delays = np.full(len(ticks), np.nan)
    delays[found] = (times[at[found]] - load.created_ns(start_ns)[ticks[found] - 1]) / 1e6
    return delays


def summary(delays: npt.NDArray[np.float64]) -> Latency:
    """Summary of delays in ms; NaN where a tick was never covered."""
    there = delays[~np.isnan(delays)]
    if not len(there):
        return Latency(np.nan, np.nan, np.nan, 0, len(delays))
    p50, p99 = np.percentile(there, [50, 99])
    return Latency(float(p50), float(p99), float(np.max(there)), len(there), len(delays) - len(there))
