"""Saving: the share of processor time that tracking saves, measured continuously by audits.

In an audited cycle, a worker evaluates the changed symbols and then all symbols. The audit tells the processor time of
both. The saving is 1 - the sum of the first / the sum of the second. Audited cycles are drawn at random from a trader's
cycles, so these sums stand for all of them. Where nothing changed there is no cycle, no audit, and nothing to count.
"""

from dataclasses import dataclass, field
from typing import Any

from tickflag.common.wire.messages import Count, Name
from tickflag.services.collector.experiments.ratio import Moments, estimated


@dataclass(slots=True)
class Saving:
    """A unit is an audited cycle: x is the time of the changed symbols, y that of all symbols."""

    since_ms: Count = 0
    """When the measurement began, in UTC."""
    traders: dict[Name, Moments] = field(default_factory=dict)
    gone: Moments = field(default_factory=Moments)
    """Moments of the traders that are gone, together."""

    def audited(self, trader: str, part_ns: int, full_ns: int) -> bool:
        """Count an audited cycle; False where the cost of the cycle is not known."""
        if not full_ns:
            return False
        self.traders.setdefault(trader, Moments()).add(part_ns, full_ns)
        return True

    def retire(self, trader: str) -> bool:
        """Retire a trader that is gone for good; False where the trader had no audits."""
        moments = self.traders.pop(trader, None)
        if moments is None:
            return False
        self.gone.join(moments)
        return True

    def overall(self) -> dict[str, Any] | None:
        """The saving of all traders together; None before the first audit."""
        total = Moments()
        total.join(self.gone)
        for moments in self.traders.values():
            total.join(moments)
        return _summary(total) if total.n else None

    def by_trader(self) -> list[dict[str, Any]]:
        """The saving of each present trader, sorted by name."""
        return [{"trader": trader} | _summary(moments) for trader, moments in sorted(self.traders.items())]


def _summary(moments: Moments) -> dict[str, Any]:
    """The saving as a share of the time of all symbols, with its 95 % interval from `low` to `high`."""
    ratio, low, high = estimated(moments)
    return {
        "saving": None if ratio is None else 1 - ratio,
        "low": None if high is None else 1 - high,
        "high": None if low is None else 1 - low,
        "audits": moments.n,
        "part_ns": moments.x,
        "full_ns": moments.y,
    }
