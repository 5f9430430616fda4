"""RecentSignals: the newest signals and notices, and how many symbols entered and left in the last minute."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from tickflag.common.units import MS_PER_S

KEEP = 1_000
MINUTE_S = 60


class RecentSignals:
    """Numbered documents, the newest last, with consecutive numbers. One thread."""

    def __init__(self, keep: int = KEEP) -> None:
        self._signals: deque[dict[str, Any]] = deque(maxlen=keep)
        self._seconds: deque[tuple[int, dict[tuple[str, str], int]]] = deque()

    def clear(self) -> None:
        """Another journal begins."""
        self._signals.clear()
        self._seconds.clear()

    def add(self, signals: Sequence[dict[str, Any]]) -> None:
        """Add the next signals."""
        self._signals.extend(signals)
        for signal in signals:
            second = signal["time_ms"] // MS_PER_S
            if not self._seconds or self._seconds[-1][0] < second:
                self._seconds.append((second, {}))
            counts = self._seconds[-1][1]
            key = (signal["trader"], signal["event"])
            counts[key] = counts.get(key, 0) + 1

    def prepend(self, signals: Sequence[dict[str, Any]]) -> None:
        """Put earlier signals, in order, before those that are known. All count for the last minute, whether they are
        kept or not."""
        later, seconds = list(self._signals), list(self._seconds)
        first = later[0]["seq"] if later else None
        self.clear()
        self.add([signal for signal in signals if first is None or signal["seq"] < first])
        self._signals.extend(later)
        for second, counts in seconds:
            if not self._seconds or self._seconds[-1][0] < second:
                self._seconds.append((second, {}))
            known = self._seconds[-1][1]
            for key, count in counts.items():
                known[key] = known.get(key, 0) + count

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The newest signals, newest first."""
        found = list(self._signals)[-count:] if count else []
        return found[::-1]

    def after(self, seq: int) -> list[dict[str, Any]] | None:
        """The signals with a higher number, in order; None where older ones than are kept are wanted."""
        if not self._signals or self._signals[0]["seq"] > seq + 1:
            return None
        return [signal for signal in self._signals if signal["seq"] > seq]

    def last_minute(self, now_ms: float) -> dict[tuple[str, str], int]:
        """(trader, event) -> how often in the last minute."""
        oldest = int(now_ms) // MS_PER_S - MINUTE_S
        while self._seconds and self._seconds[0][0] <= oldest:
            self._seconds.popleft()
        sums: dict[tuple[str, str], int] = {}
        for _second, counts in self._seconds:
            for key, count in counts.items():
                sums[key] = sums.get(key, 0) + count
        return sums
