"""What the feed sends: a cycle was closed."""

from typing import Literal

from tickflag.common.wire.messages.record import Count, Message, Name


class SwapEvent(Message):
    """A hint that a cycle of a channel was closed; repeated as heartbeat. The truth is in the segment."""

    kind: Literal["swap"] = "swap"
    channel: Name
    generation: Count
    cycle: Count
    buffer: Literal["A", "B"]
    """The read buffer: the one just filled."""
    segment: Name
    flagged: Count
    symbols: Count
    oldest_ns: Count
    """Monotonic time of the cycle's oldest update."""
    time_ns: Count
    """Monotonic time of the swap."""
