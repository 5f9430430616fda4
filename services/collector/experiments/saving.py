"""Saving: what tracking saves, measured all the time: an audited cycle is evaluated both ways by the same worker.

Each audit tells what its cycle took and what evaluating all symbols took in the same cycle. The saving is 1 - the sum
of the first / the sum of the second. Audited cycles are drawn at random from a trader's cycles, so these sums stand for
all of them. A cycle that did not happen, as nothing had changed, is not audited and counts on neither side.
"""

from dataclasses import dataclass, field
from typing import Any

from common.messages import Count, Name
from services.collector.ratio import Moments, estimated


@dataclass(slots=True)
class Saving:
    """A unit is an audited cycle: x what it took, y what all symbols took."""

    since_ms: Count = 0
    """UTC of the begin."""
    traders: dict[Name, Moments] = field(default_factory=dict)
    gone: Moments = field(default_factory=Moments)
    """Of the traders that are gone, together."""

    def audited(self, trader: str, part_ns: int, full_ns: int) -> bool:
        """A cycle was audited; False where its cost is not known."""
        if not full_ns:
            return False
        self.traders.setdefault(trader, Moments()).add(part_ns, full_ns)
        return True

    def retire(self, trader: str) -> bool:
        """A trader is gone; False where it had no audits."""
        moments = self.traders.pop(trader, None)
        if moments is None:
            return False
        self.gone.join(moments)
        return True

    def overall(self) -> dict[str, Any] | None:
        """Of all traders together, plain values; None before the first audit."""
        total = Moments()
        total.join(self.gone)
        for moments in self.traders.values():
            total.join(moments)
        return _shown(total) if total.n else None

    def by_trader(self) -> list[dict[str, Any]]:
        """Of each that is there, sorted by name."""
        return [{"trader": trader} | _shown(moments) for trader, moments in sorted(self.traders.items())]


def _shown(moments: Moments) -> dict[str, Any]:
    """Shares of the processor time that evaluating all symbols takes; `low` and `high` hold 95 %."""
    ratio, low, high = estimated(moments)
    return {
        "saving": None if ratio is None else 1 - ratio,
        "low": None if high is None else 1 - high,
        "high": None if low is None else 1 - low,
        "audits": moments.n,
        "part_ns": moments.x,
        "full_ns": moments.y,
    }
