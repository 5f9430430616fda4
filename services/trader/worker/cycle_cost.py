"""CycleCost: how long a trader's last cycles took, compared with the time between two cycles."""

from collections import deque

from tickflag.common.histogram import LATENCY_BOUNDS_NS, Histogram
from tickflag.common.units import NS_PER_MS

LAST = 100  # cycles
FROM = 20  # fewer tell nothing


class CycleCost:
    """A trader is too slow when its cycles take more than the share `limit` of `period_ns`; with 0 for either it never
    is."""

    def __init__(self, period_ns: int, limit: float) -> None:
        self._period_ns, self._limit_ns = period_ns, period_ns * limit
        self._wall: deque[int] = deque(maxlen=LAST)
        self._cpu: deque[int] = deque(maxlen=LAST)
        self._symbols: deque[int] = deque(maxlen=LAST)
        self.all = Histogram(LATENCY_BOUNDS_NS)
        """The time of every cycle by the clock."""

    def add(self, wall_ns: int, cpu_ns: int, symbols: int) -> None:
        """Add a cycle: its time by the clock, the processor time of its thread, and the symbols it evaluated."""
        self.all.add(wall_ns)
        self._wall.append(wall_ns)
        self._cpu.append(cpu_ns)
        self._symbols.append(symbols)

    @property
    def wall_ns(self) -> int:
        """The time that 95 % of the last cycles took at most."""
        return _p95(self._wall)

    @property
    def cpu_ns(self) -> int:
        """The processor time that 95 % of the last cycles took at most."""
        return _p95(self._cpu)

    def remark(self) -> str:
        """A text saying that the trader is too slow, with its cost and what to do; empty where it is not."""
        wall_ns, cpu_ns = self.wall_ns, self.cpu_ns
        if len(self._wall) < FROM or not self._limit_ns or wall_ns <= self._limit_ns:
            return ""
        do = "make the rule cheaper, watch fewer symbols, or declare a `min_interval`"
        if 2 * cpu_ns < wall_ns:
            do = "it waits, for a lock, a file or a processor that others use"
        return (
            f"slow: a cycle takes {wall_ns / NS_PER_MS:.3g} ms (p95; {cpu_ns / NS_PER_MS:.3g} ms of processor time) of "
            f"{self._period_ns / NS_PER_MS:.3g} ms, with {_p95(self._symbols)} symbols: {do}"
        )


def _p95(values: deque[int]) -> int:
    return sorted(values)[(len(values) * 95 - 1) // 100] if values else 0
