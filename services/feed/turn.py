"""The turn policy: what is due at a time, in which order, and when something is due next.

A driver applies updates, then runs a turn. The driver is the service, by the clock, or a replay, by its recording; the
policy does not know which. The policy reads what is pending in the market, and two times that the driver gives: the
driver's own time, for rate limits and the swap interval, and the event time, which closes candles.
"""

import enum
from collections.abc import Callable
from typing import Final

from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.state import DIRTY, NEXT_DUE

NEVER_NS: Final = (1 << 63) - 1


class TurnStep(enum.Enum):
    """What a turn can do, in the order in which it does it."""

    ANNOUNCE = "announce"
    """Flag the updates whose rate limit is over."""
    CLOSE = "close"
    """Close the candles that the watermark has passed. May flag, so it comes before the swap."""
    SWAP = "swap"
    """Close the cycles with flags. Ends the turn: it leaves nothing that is due."""
    WAIT = "wait"
    """Nothing is due."""


_ANNOUNCE, _CLOSE, _SWAP, _WAIT = TurnStep  # names of the module cost less than attributes of the class


def next_step(
    announcement_ns: int, watermark_ns: int, dirty: int, swap_free_ns: int, now_ns: int, event_ns: int
) -> tuple[TurnStep, int]:
    """The first step that is due, and the time of the next turn, NEVER_NS for none. The time is valid at a turn's end
    only: ANNOUNCE and CLOSE change what is pending, so the caller asks again.

    These can be pending: the first deferred announcement (due at `announcement_ns`, 0 for none), the next event time at
    which a candle can close (`watermark_ns`), and flags in open cycles (`dirty`), for a swap from `swap_free_ns` on.

    The time of the next turn leaves out the watermark: only the driver knows when its event time gets there.
    """
    if 0 < announcement_ns <= now_ns:
        return _ANNOUNCE, now_ns
    if event_ns >= watermark_ns:
        return _CLOSE, now_ns
    if not dirty:
        return _WAIT, announcement_ns or NEVER_NS
    if swap_free_ns <= now_ns:
        return _SWAP, announcement_ns or NEVER_NS
    return _WAIT, announcement_ns if 0 < announcement_ns < swap_free_ns else swap_free_ns


class Turns:
    """Runs the turns of a market by the policy. One thread.

    There is at most one swap in `min_swap_ns`; a swap comes at once where the last one is older. `swap` closes the
    cycles with flags and gives how many there were.
    """

    def __init__(self, min_swap_ns: int, swap: Callable[[int], int]) -> None:
        self._min_swap_ns = min_swap_ns
        self._swap = swap
        self.swap_free_ns = 0
        """The time from which on a swap may come."""
        self.watermark_ns = 0
        """Event time from which on a turn looks for candles to close; 0 before the first turn, which always looks."""

    def run(self, market: MarketWriter, now_ns: int, event_ns: int) -> int:
        """Do what is due; gives when the next turn is, as far as it does not depend on the event time."""
        pending = market.pending
        while True:
            step, due_ns = next_step(
                pending[NEXT_DUE], self.watermark_ns, pending[DIRTY], self.swap_free_ns, now_ns, event_ns
            )
            if step is _WAIT:
                return due_ns
            if step is _SWAP:
                self.swap_free_ns = now_ns + self._min_swap_ns
                self._swap(now_ns)
                return due_ns
            if step is _ANNOUNCE:
                market.announce_due(now_ns)
            else:
                market.close_due(event_ns, now_ns)
                self.watermark_ns = market.next_watermark_ns(event_ns)

    def flush(self, market: MarketWriter, now_ns: int) -> int:
        """Make all deferred announcements and swap at once, whatever limit and interval say; gives how many cycles
        closed. For the end of the feed, a command, and before a new generation."""
        market.announce_pending(now_ns)
        self.swap_free_ns = now_ns + self._min_swap_ns
        return self._swap(now_ns)
