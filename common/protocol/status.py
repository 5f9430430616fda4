"""The count of status changes: how a reader of an interval's channel hears that a symbol was delisted, or trades again.

Such a channel tells of closed candles only. So the feed counts, beside the channels, every change of a row's status. A
reader that finds a new count compares the statuses of the rows.
"""

from typing import Any

from tickflag.common.jit import kernel
from tickflag.common.segment.atomics import load_acquire, store_release
from tickflag.common.segment.layout import COUNTER

STATUS_CHANGES = COUNTER["status_changes"]


@kernel
def count_status_change(living: Any) -> None:
    """Count a change of a row's status. Only the feed calls this, after `end_row`."""
    # Pairs with the acquire in `status_changes`: a reader that sees the count sees the row.
    store_release(living, STATUS_CHANGES, living[STATUS_CHANGES] + 1)


@kernel
def status_changes(living: Any) -> int:
    """How many changes were counted. Read this before the statuses of the rows, which then hold all of them."""
    return int(load_acquire(living, STATUS_CHANGES))
