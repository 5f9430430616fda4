"""The kernels of a swap: every channel with flags in one call, as the call of a kernel costs more than its work.

`flagged` is `FeedState.cycle`. A row of `closed` is (channel, cycle, symbols flagged, monotonic ns of the oldest
update).
"""

from typing import Any

from tickflag.common.jit import kernel
from tickflag.common.protocol.cycles import close_cycle, open_next
from tickflag.common.segment.layout import COUNTER
from tickflag.services.feed.market.state import DIRTY

SWAPS = COUNTER["swaps"]


@kernel
def close_cycles(control: Any, cycles: Any, flagged: Any, closed: Any) -> int:
    """Close the open cycle of each channel with flags and list it in `closed`; gives how many."""
    n = 0
    for channel in range(len(flagged)):
        if flagged[channel, 0] > 0:
            closed[n, 0] = channel
            closed[n, 1] = close_cycle(control, cycles, channel, flagged[channel, 1])
            closed[n, 2] = flagged[channel, 0]
            closed[n, 3] = flagged[channel, 1]
            n += 1
    return n


@kernel
def open_cycles(control: Any, flags: Any, living: Any, flagged: Any, meta: Any, closed: Any, n: int) -> None:
    """Open the next cycle of the first `n` channels in `closed`."""
    for i in range(n):
        channel = closed[i, 0]
        open_next(control, flags, channel)
        flagged[channel, 0] = 0
        flagged[channel, 1] = 0
    living[SWAPS] += n
    meta[DIRTY] = 0
