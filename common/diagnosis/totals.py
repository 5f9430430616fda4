"""Totals: counters that only grow, out of those that begin anew with each worker and feed; and what they did lately."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

TRADER_COUNTS = ("cycles", "processed", "skipped", "fast", "retried", "bytes_sent", "bytes_full", "cpu_ns")


class TraderTotals:
    """Sums over all traders. A worker counts from 0 when it is started anew; the sums go on."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, dict[str, int]]] = {}
        self._sums = dict.fromkeys(TRADER_COUNTS, 0)

    def add(self, traders: Iterable[Mapping[str, Any]]) -> dict[str, int]:
        """The sums after the collector's lines of all traders."""
        for trader in traders:
            counts = {name: int(trader.get(name, 0)) for name in TRADER_COUNTS}
            incarnation, before = self._last.get(trader["name"], (trader["incarnation"], {}))
            if incarnation != trader["incarnation"]:
                before = {}
            for name, count in counts.items():
                self._sums[name] += max(0, count - before.get(name, 0))
            self._last[trader["name"]] = (trader["incarnation"], counts)
        return dict(self._sums)


class Recent:
    """Readings of counters over some time, and the differences between them. Pure."""

    def __init__(self, span_s: float) -> None:
        """Readings older than `span_s` are dropped, but the newest of them."""
        self._span_s = span_s
        self._readings: deque[tuple[float, dict[str, float]]] = deque()

    def add(self, now_s: float, counters: Mapping[str, float]) -> None:
        """Add a reading. Where a counter went back, it began anew, and all before is dropped."""
        if self._readings:
            last = self._readings[-1][1]
            if any(counters[name] < last[name] for name in counters if name in last):
                self._readings.clear()
        self._readings.append((now_s, dict(counters)))
        while len(self._readings) > 2 and self._readings[1][0] <= now_s - self._span_s:
            self._readings.popleft()

    def over(self, span_s: float) -> tuple[float, dict[str, float]] | None:
        """Seconds and growth of each counter from the newest reading that is at least `span_s` old, else the oldest, to
        the last; None with fewer than two readings. A counter that one of the two lacks is left out."""
        if len(self._readings) < 2:
            return None
        now_s, last = self._readings[-1]
        first_s, first = self._readings[0]
        for at_s, reading in self._readings:
            if at_s > now_s - span_s:
                break
            first_s, first = at_s, reading
        if first_s >= now_s:
            return None
        return now_s - first_s, {name: last[name] - first[name] for name in last if name in first}


def ratio(part: float | None, whole: float | None) -> float | None:
    """`part` / `whole`; None where one is not known, or `whole` is 0."""
    return None if part is None or not whole else part / whole
