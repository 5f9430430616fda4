"""ArmSums: what the traders in one arm of an experiment cost, by trader."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from tickflag.common.units import LARGEST_INT64, NS_PER_S
from tickflag.common.wire.messages import Count, Heartbeat, Name
from tickflag.services.collector.experiments.ratio import Moments, Total


class Metric(NamedTuple):
    """The ratio of two sums, such as processor time for each cycle. `of` and `each` are attributes of `Sums`."""

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


class CountReading(NamedTuple):
    """The counts of a heartbeat, which run since the start of the incarnation, and when the heartbeat came."""

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
    """What one trader did in one arm, or several traders together."""

    cycles: Count = 0
    """Cycles that did not fail."""
    cpu_ns: Count = 0
    processed: Count = 0
    bytes: Count = 0
    """Bytes of all results, as they were sent."""
    failures: Count = 0
    latency_ns: Count = 0
    """The sum over all results of the time from the oldest update to the arrival."""
    results: Count = 0
    """How many results have a known latency."""
    seconds: Total = 0.0
    """For how long the trader was measured."""

    @property
    def passes(self) -> int:
        """All cycles, failed ones too."""
        return self.cycles + self.failures

    def add(self, before: CountReading, after: CountReading) -> bool:
        """Add the difference of two heartbeats of one incarnation. Where a count fell, adds nothing and gives False."""
        steps = [new - old for old, new in zip(before[2:], after[2:], strict=True)]
        if min(steps) < 0:
            return False
        cycles, cpu_ns, processed, size, failures = steps
        self.cycles += cycles
        self.cpu_ns += cpu_ns
        self.processed += processed
        self.bytes += size
        self.failures += failures
        self.seconds += (after.at_ns - before.at_ns) / NS_PER_S
        return True

    def add_latency(self, latency_ns: int) -> None:
        """Add a result with a known latency."""
        self.latency_ns += latency_ns
        self.results += 1

    def join(self, other: "Sums") -> None:
        """Add the other sums, up to the largest number that a message can hold."""
        for name in ("cycles", "cpu_ns", "processed", "bytes", "failures", "latency_ns", "results"):
            setattr(self, name, min(getattr(self, name) + getattr(other, name), LARGEST_INT64))
        self.seconds += other.seconds


@dataclass(slots=True)
class ArmSums:
    """The sums of present traders by name; of the traders that are gone, only totals and moments.

    An interval needs no more than the moments, so memory grows with the present traders only. A trader that comes back
    counts as another trader.
    """

    traders: dict[Name, Sums] = field(default_factory=dict)
    gone: Sums = field(default_factory=Sums)
    """The sums of the traders that are gone, together."""
    moments: dict[str, Moments] = field(default_factory=dict)
    """Metric -> moments of the traders that are gone."""

    def of(self, trader: str) -> Sums:
        """The sums of a trader, to be added to."""
        return self.traders.setdefault(trader, Sums())

    def retire(self, trader: str) -> bool:
        """Retire a trader that is gone for good; False where the trader was not in the arm."""
        sums = self.traders.pop(trader, None)
        if sums is None:
            return False
        self.gone.join(sums)
        for metric in METRICS:
            _add(self.moments.setdefault(metric.name, Moments()), metric, sums)
        return True

    def measured(self, metric: Metric) -> Moments:
        """The moments of a metric over all traders for which it is known."""
        moments = Moments()
        moments.join(self.moments.get(metric.name, Moments()))
        for sums in self.traders.values():
            _add(moments, metric, sums)
        return moments

    def total(self) -> Sums:
        """The sums of all traders together."""
        total = Sums()
        total.join(self.gone)
        for sums in self.traders.values():
            total.join(sums)
        return total

    def summary(self) -> dict[str, Any]:
        """The number of traders with data, their totals, and the mean of each metric."""
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
