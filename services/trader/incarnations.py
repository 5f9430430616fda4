"""Incarnations: the numbers of workers, which grow with every start, also over restarts of the service.

A number is the life of the service, which is kept in a file, and a count within it: one write for each start of the
service, none for that of a worker. The clock gives the first life only, so that stepping it harms nothing later.
"""

from tickflag.common.clock import Clock
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.messages import INCARNATION_LEAP
from tickflag.services.trader.supervisor.saved_traders import SavedTraders

_BITS = 20  # workers in one life: a million


class Incarnations:
    """One row of numbers for all traders, as a name may pass from one file to another. One thread."""

    def __init__(self, saved: SavedTraders, clock: Clock) -> None:
        self._saved = saved
        # Earlier versions took milliseconds of the clock. Without a file the numbers must lie above those, but not so
        # far above that a collector refuses them that knows none.
        first = min(clock.wall_ns() // NS_PER_MS, INCARNATION_LEAP // 2) >> _BITS
        self._begin((saved.life or first) + 1)

    def next(self, last: int) -> int:
        """The incarnation of a worker of a trader whose last one was `last`; 0 where none is known."""
        self._last += 1
        return self._last if not last or last < self._last <= last + INCARNATION_LEAP else last + 1

    def must_change(self, incarnation: int, known: int) -> bool:
        """Whether the collector ignores a worker of `incarnation`, as it knows another one of that trader, `known`:
        by a clock that was ahead, a file that was lost, or a forged message. Then the numbers go on above that one."""
        if known <= incarnation <= known + INCARNATION_LEAP:
            return False
        if known > self._last:
            self._begin((known >> _BITS) + 1)
        return True

    def _begin(self, life: int) -> None:
        self._saved.save_life(life)
        self._last = life << _BITS
