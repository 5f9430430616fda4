"""RecentSignals: the newest signals, the newest entries and exits, and how many of these were in the last minute."""

import math
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
        self._moves: deque[dict[str, Any]] = deque(maxlen=keep)
        """Entries and exits. Kept apart: many changes of scores must not push them out."""
        self._seconds: deque[tuple[int, dict[tuple[str, str], int]]] = deque()
        self._oldest: int | None = None
        """The lowest number seen, kept or not."""
        self._since_ms = math.inf
        """All signals from this time on were seen, but for those of the same second."""

    def clear(self) -> None:
        """Another journal begins."""
        self._signals.clear()
        self._moves.clear()
        self._seconds.clear()
        self._oldest, self._since_ms = None, math.inf

    def add(self, signals: Sequence[dict[str, Any]]) -> None:
        """Add the next signals."""
        if self._oldest is None and signals:
            self._oldest, self._since_ms = signals[0]["seq"], min(self._since_ms, signals[0]["time_ms"])
        self._signals.extend(signals)
        self._moves.extend(signal for signal in signals if signal["event"] != "score")
        for signal in signals:
            counts = self._counts(signal["time_ms"] // MS_PER_S)
            key = (signal["trader"], signal["event"])
            counts[key] = counts.get(key, 0) + 1

    def prepend(self, signals: Sequence[dict[str, Any]], whole: bool = False) -> None:
        """Put earlier signals, in order, before those that are known. All count for the last minute, whether they are
        kept or not. `whole`: there are none before them."""
        later, moves, seconds = list(self._signals), list(self._moves), list(self._seconds)
        oldest, since_ms = self._oldest, self._since_ms
        self.clear()
        self.add([signal for signal in signals if oldest is None or signal["seq"] < oldest])
        if self._oldest is None:
            self._oldest, self._since_ms = oldest, since_ms
        if whole:
            self._since_ms = -math.inf
        self._signals.extend(later)
        self._moves.extend(moves)
        for second, counts in seconds:
            known = self._counts(second)
            for key, count in counts.items():
                known[key] = known.get(key, 0) + count

    def _counts(self, second: int) -> dict[tuple[str, str], int]:
        """The counts of a second, which is not before the newest one."""
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, {}))
        return self._seconds[-1][1]

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The newest signals, newest first."""
        found = list(self._signals)[-count:] if count else []
        return found[::-1]

    def newest_moves(self, count: int) -> list[dict[str, Any]]:
        """The newest entries and exits, newest first."""
        return list(self._moves)[::-1][:count]

    def after(self, seq: int) -> list[dict[str, Any]] | None:
        """The signals with a higher number, in order; None where older ones than are kept are wanted."""
        if not self._signals or self._signals[0]["seq"] > seq + 1:
            return None
        return [signal for signal in self._signals if signal["seq"] > seq]

    def last_minute(self, now_ms: float) -> dict[tuple[str, str], int] | None:
        """(trader, event) -> how often in the last minute; None where signals of that minute were not seen."""
        oldest = int(now_ms) // MS_PER_S - MINUTE_S
        if self._since_ms >= (oldest + 1) * MS_PER_S:
            return None
        while self._seconds and self._seconds[0][0] <= oldest:
            self._seconds.popleft()
        sums: dict[tuple[str, str], int] = {}
        for _second, counts in self._seconds:
            for key, count in counts.items():
                sums[key] = sums.get(key, 0) + count
        return sums
