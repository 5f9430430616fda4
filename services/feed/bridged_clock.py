"""BridgedClock: the wall clock as the feed takes it: where it is stepped back, time goes on as before.

Else no candle would close until the clock has caught up, and a venue's updates would seem to come from the future.
"""

from tickflag.common.clock import Clock
from tickflag.common.log import Logger
from tickflag.common.units import NS_PER_S, S_PER_HOUR

LEAST_NS = 1 * NS_PER_S
"""Smaller steps are followed: the order of updates does not rest on them."""
MOST_NS = 2 * S_PER_HOUR * NS_PER_S
"""Larger steps are followed, as the time before was wrong then, rather than this one."""


class BridgedClock:
    """One thread. A step forward is always followed, and ends a bridge."""

    def __init__(self, clock: Clock, log: Logger) -> None:
        self._clock, self._log = clock, log
        self._now_ns, self._wall_ns = clock.monotonic_ns(), clock.wall_ns()
        self._bridging = False

    def read(self) -> tuple[int, int]:
        """Monotonic time, and UTC."""
        now_ns, wall_ns = self._clock.monotonic_ns(), self._clock.wall_ns()
        expected_ns = self._wall_ns + now_ns - self._now_ns
        behind_ns = expected_ns - wall_ns
        bridging = LEAST_NS < behind_ns <= MOST_NS
        if bridging != self._bridging or behind_ns > MOST_NS:
            self._tell(bridging, round(behind_ns / NS_PER_S, 1))
        self._bridging = bridging
        self._now_ns, self._wall_ns = now_ns, expected_ns if bridging else wall_ns
        return self._now_ns, self._wall_ns

    def _tell(self, bridging: bool, behind_s: float) -> None:
        if bridging:
            does = "the feed goes on by the time before, until the clock has caught up or the feed is restarted"
            self._log.warning("clock stepped back", seconds=behind_s, does=does)
        elif behind_s > 0:
            does = "candles stand still until the clock has caught up"
            self._log.warning("clock stepped back far", seconds=behind_s, does=does, do="restart the feed")
        else:
            self._log.info("clock caught up")
