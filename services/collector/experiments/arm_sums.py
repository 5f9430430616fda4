"""ArmSums: what the traders in one arm of an experiment cost, kept by trader."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from common.messages import Count, Heartbeat, Name
from services.collector.ratio import Moments, Total

LARGEST = (1 << 63) - 1  # what a message can hold


class Metric(NamedTuple):
    """A sum of `Sums` over another one."""

    name: str
    of: str
    each: str


METRICS = (
    Metric("cpu_ns", "cpu_ns", "cycles"),
    Metric("processed", "processed", "cycles"),
    Metric("latency_ns", "latency_ns", "results"),
    Metric("bytes", "bytes", "cycles"),
    Metric("failures", "failures", "passes"),
)


class Reading(NamedTuple):
    """The counts of a heartbeat, which run since the start of its incarnation, and when it came."""

    incarnation: int
    at_ns: int
    cycles: int
    cpu_ns: int
    processed: int
    bytes: int
    failures: int

    @classmethod
    def of(cls, heartbeat: Heartbeat, now_ns: int) -> Self:
        return cls(
            heartbeat.incarnation,
            now_ns,
            heartbeat.cycles,
            heartbeat.cpu_ns,
            heartbeat.processed,
            heartbeat.bytes_wire,
            heartbeat.failures,
        )


@dataclass(slots=True)
class Sums:
    """Of one trader in one arm, or of several."""

    cycles: Count = 0
    """Clean ones."""
    cpu_ns: Count = 0
    processed: Count = 0
    bytes: Count = 0
    """Of results, as sent."""
    failures: Count = 0
    latency_ns: Count = 0
    """From a result's oldest update to its arrival, of all results together."""
    results: Count = 0
    """Those of which the latency is known."""
    seconds: Total = 0.0
    """That were watched."""

    @property
    def passes(self) -> int:
        """Cycles, and those that failed."""
        return self.cycles + self.failures

    def add(self, before: Reading, after: Reading) -> bool:
        """What came between two heartbeats of an incarnation; False, and nothing is added, where a count fell."""
        steps = [new - old for old, new in zip(before[2:], after[2:], strict=True)]
        if min(steps) < 0:
            return False
        cycles, cpu_ns, processed, size, failures = steps
        self.cycles += cycles
        self.cpu_ns += cpu_ns
        self.processed += processed
        self.bytes += size
        self.failures += failures
        self.seconds += (after.at_ns - before.at_ns) / 1e9
        return True

    def arrived(self, latency_ns: int) -> None:
        """A result of which the latency is known."""
        self.latency_ns += latency_ns
        self.results += 1

    def join(self, other: "Sums") -> None:
        """All that is in another one, up to the largest number that a message can hold."""
        for name in ("cycles", "cpu_ns", "processed", "bytes", "failures", "latency_ns", "results"):
            setattr(self, name, min(getattr(self, name) + getattr(other, name), LARGEST))
        self.seconds += other.seconds


@dataclass(slots=True)
class ArmSums:
    """Traders that are gone are kept as moments, which is all that an interval needs of them, so that the memory is
    that of the present traders. One that comes back counts as another trader."""

    traders: dict[Name, Sums] = field(default_factory=dict)
    gone: Sums = field(default_factory=Sums)
    """All that are gone, together."""
    moments: dict[str, Moments] = field(default_factory=dict)
    """Metric -> those that are gone."""

    def of(self, trader: str) -> Sums:
        """Its sums, to be added to."""
        return self.traders.setdefault(trader, Sums())

    def retire(self, trader: str) -> bool:
        """A trader is gone; False where it was not in the arm."""
        sums = self.traders.pop(trader, None)
        if sums is None:
            return False
        self.gone.join(sums)
        for metric in METRICS:
            _add(self.moments.setdefault(metric.name, Moments()), metric, sums)
        return True

    def measured(self, metric: Metric) -> Moments:
        """Of all traders for which the metric is known."""
        moments = Moments()
        moments.join(self.moments.get(metric.name, Moments()))
        for sums in self.traders.values():
            _add(moments, metric, sums)
        return moments

    def total(self) -> Sums:
        """All traders together."""
        total = Sums()
        total.join(self.gone)
        for sums in self.traders.values():
            total.join(sums)
        return total

    def shown(self) -> dict[str, Any]:
        """Traders with data, their totals, and what a metric is on average."""
        total = self.total()
        measured = {metric.name: self.measured(metric) for metric in METRICS}
        return {
            "traders": measured["failures"].n,
            "cycles": total.cycles,
            "failures": total.failures,
            "results": total.results,
            "seconds": total.seconds,
            "means": {name: moments.ratio for name, moments in measured.items()},
        }


def _add(moments: Moments, metric: Metric, sums: Sums) -> None:
    each: int = getattr(sums, metric.each)
    if each:
        moments.add(getattr(sums, metric.of), each)
