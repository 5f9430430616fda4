"""RecentRestarts: which traders were restarted a moment ago, so that a look that missed the fall still shows it."""

from collections.abc import Iterable, Mapping
from typing import Any

SHOWN_S = 3.0


class RecentRestarts:
    """Pure: from the collector's lines of all traders. One thread."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, float]] = {}

    def hear(self, traders: Iterable[Mapping[str, Any]], now_s: float) -> None:
        """The lines as of a monotonic time. A supervisor that is new counts from 0 again: that is no restart."""
        for trader in traders:
            before, grown_s = self._known.get(trader["name"], (trader["restarts"], now_s - SHOWN_S))
            grown_s = now_s if trader["restarts"] > before else grown_s
            self._known[trader["name"]] = trader["restarts"], grown_s

    def recent(self, trader: str, now_s: float) -> bool:
        """Whether the trader was restarted within `SHOWN_S`."""
        return trader in self._known and now_s - self._known[trader][1] < SHOWN_S
