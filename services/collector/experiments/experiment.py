"""Experiment: the arms of one feature flag side by side, each trader in one of them.

A rule with a percentage divides the traders into arms: `on` and `off`, or those that the rule names. Where the
rule names a single arm, the traders outside that arm form another one. Forced traders were not chosen by chance, so
they are in no arm.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tickflag.common.flags import Rule
from tickflag.common.flags.buckets import BUCKETS, points
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.messages import Count, Name
from tickflag.services.collector.experiments.arm_sums import METRICS, ArmSums, CountReading, Metric
from tickflag.services.collector.experiments.ratio import Moments, compared, split

SETTLE_NS = 2 * NS_PER_S
"""For this long after a trader changed its arm nothing is counted, as its worker may not know of the change yet."""

UNLIKELY = 0.001
"""Where the numbers of traders in the arms are less probable than this, no comparison of the arms is trusted."""


class Variant(NamedTuple):
    """An arm, and how many buckets it has at present."""

    name: str
    buckets: int
    value: bool


class ArmKey(NamedTuple):
    """An arm as the rule names it. Rules with other arms make another experiment."""

    name: Name
    points: Count
    value: bool


def variants(rule: Rule) -> tuple[Variant, ...]:
    """The arms that a rule divides the traders into; none where all traders are in the same arm."""
    if rule.killed or rule.percentage is None:
        return ()
    found = [Variant(arm.name, end - start, arm.value) for arm, start, end in rule.ranges()]
    if len(found) == 1:
        found.append(Variant(_rest(found[0].name), BUCKETS - found[0].buckets, False))
    return tuple(found) if sum(variant.buckets > 0 for variant in found) > 1 else ()


def arm_keys(rule: Rule) -> tuple[ArmKey, ...]:
    """The key of the experiment on a rule. The percentage is no part of it, as it may grow during the experiment."""
    return tuple(ArmKey(arm.name, points(arm.share), arm.value) for arm in rule.arms)


@dataclass(slots=True)
class ExperimentState:
    """The part of an experiment that outlives the process."""

    keys: tuple[ArmKey, ...]
    since_ms: Count
    """When the experiment began, in UTC."""
    arms: dict[Name, ArmSums] = field(default_factory=dict)


class ArmMember:
    """A trader's arm, and its last heartbeat in this arm."""

    __slots__ = ("arm", "from_ns", "last", "owner")

    def __init__(self, owner: str, arm: str | None, from_ns: int) -> None:
        self.owner, self.arm, self.from_ns = owner, arm, from_ns
        self.last: CountReading | None = None
        """The reading from which the next difference is taken; None before the first."""


class Experiment:
    """Pure; one thread. Times are monotonic ns.

    An experiment runs while it has a rule. The difference between two heartbeats of one incarnation counts for the arm
    that the trader was in for all of the time between them. Any other difference, such as one over a change of arm, is
    not counted.
    """

    def __init__(self, flag: str, state: ExperimentState) -> None:
        self.flag = flag
        self.state = state
        self.rule: Rule | None = None
        self._variants: tuple[Variant, ...] = ()
        self._members: dict[str, ArmMember] = {}
        self._from_ns = 0  # when counting begins for traders that report for the first time

    def follow(self, rule: Rule, now_ns: int) -> None:
        """Begin with a rule, or go on with one that has another percentage or other forced traders."""
        if rule == self.rule:
            return
        self._from_ns = now_ns + SETTLE_NS
        self.rule, self._variants = rule, variants(rule)
        for variant in self._variants:
            self.state.arms.setdefault(variant.name, ArmSums())
        for trader, member in self._members.items():
            self._move(trader, member, now_ns)

    def end(self) -> None:
        """End the experiment, as all traders are in the same arm from now on. The sums stay."""
        self.rule, self._variants = None, ()
        self._members.clear()

    def apply_reading(self, trader: str, owner: str, reading: CountReading) -> bool:
        """Count a heartbeat; True where it added to the sums."""
        member = self._members.get(trader)
        if member is None:
            member = self._members[trader] = ArmMember(owner, self._arm(trader, owner), self._from_ns)
        elif member.owner != owner:
            member.owner = owner
            self._move(trader, member, reading.at_ns)
        if member.arm is None or reading.at_ns < member.from_ns:
            return False
        last, member.last = member.last, reading
        if last is None or last.incarnation != reading.incarnation:
            return False
        return self.state.arms[member.arm].of(trader).add(last, reading)

    def add_latency(self, trader: str, incarnation: int, latency_ns: int) -> bool:
        """Count the latency of a result; True where it added to the sums."""
        member = self._members.get(trader)
        if member is None or member.arm is None or member.last is None or member.last.incarnation != incarnation:
            return False
        self.state.arms[member.arm].of(trader).add_latency(latency_ns)
        return True

    def retire(self, trader: str) -> bool:
        """Retire a trader that is gone for good; True where the trader had sums."""
        self._members.pop(trader, None)
        return sum(arm.retire(trader) for arm in self.state.arms.values()) > 0

    def reset(self, time_ms: int) -> None:
        """Begin the sums anew, at `time_ms` UTC."""
        self.state.since_ms = time_ms
        self.state.arms = {variant.name: ArmSums() for variant in self._variants}

    def summary(self) -> dict[str, Any]:
        """Arms, comparisons and the test of the sample ratio, as values that JSON can hold."""
        arms = self.state.arms
        whole = sum(variant.buckets for variant in self._variants)
        shares = {variant.name: 100 * variant.buckets / whole for variant in self._variants}
        present = self._present()
        return {
            "flag": self.flag,
            "running": self.rule is not None,
            "percentage": None if self.rule is None else self.rule.percentage,
            "since_ms": self.state.since_ms,
            "arms": [
                {"arm": name, "value": self._value(name), "share": shares.get(name), "present": present.get(name, 0)}
                | sums.summary()
                for name, sums in arms.items()
            ],
            "comparisons": [
                {"arm": name, "against": against, "metrics": [_comparison(name, against, arms, one) for one in METRICS]}
                for against in [self._baseline()]
                for name in arms
                if name != against
            ],
            "sample_ratio": None if self.rule is None else self._split(present),
        }

    def _arm(self, trader: str, owner: str) -> str | None:
        assert self.rule is not None
        decision = self.rule.decide(self.flag, trader, owner)
        if decision.reason != "percentage":
            return None
        # A trader outside a single arm is in the other arm; a trader outside several arms is in none.
        return decision.arm or (self._variants[1].name if len(self.rule.arms) < 2 else None)

    def _move(self, trader: str, member: ArmMember, now_ns: int) -> None:
        arm = self._arm(trader, member.owner)
        if arm != member.arm:
            member.arm, member.last, member.from_ns = arm, None, now_ns + SETTLE_NS

    def _value(self, arm: str) -> bool:
        return {key.name: key.value for key in self.state.keys or (ArmKey("on", BUCKETS, True),)}.get(arm, False)

    def _baseline(self) -> str | None:
        """The arm with which the others are compared: the first in which the flag is off, else the last."""
        names = list(self.state.arms)
        return next((name for name in names if not self._value(name)), names[-1] if names else None)

    def _present(self) -> dict[str, int]:
        """Arm -> how many traders are in it now and have reported from it."""
        counts = dict.fromkeys((variant.name for variant in self._variants), 0)
        for trader, member in self._members.items():
            if member.arm is not None and trader in self.state.arms[member.arm].traders:
                counts[member.arm] += 1
        return counts

    def _split(self, present: dict[str, int]) -> dict[str, Any]:
        taking = [variant for variant in self._variants if variant.buckets]
        found = split([present[variant.name] for variant in taking], [variant.buckets for variant in taking])
        if found is None:
            return {"p": None, "chi_square": None, "degrees": None, "warning": False}
        return found._asdict() | {"warning": found.p < UNLIKELY}


def _comparison(name: str, against: str | None, arms: dict[str, ArmSums], metric: Metric) -> dict[str, Any]:
    assert against is not None
    one, other = arms[name].measured(metric), arms[against].measured(metric)
    found = compared(one, other)
    why = "" if found.low is not None else _why({name: one, against: other})
    return {"metric": metric.name, "value": one.ratio, "against": other.ratio} | found._asdict() | {"why": why}


def _why(measured: dict[str, Moments]) -> str:
    """Why there is no interval; of several reasons the worst."""
    reasons = [f"no data in arm {arm}" for arm, moments in measured.items() if not moments.n]
    reasons += [f"none in arm {arm}" for arm, moments in measured.items() if not moments.x]
    reasons += [f"only one trader in arm {arm}" for arm, moments in measured.items() if moments.n < 2]
    return reasons[0]


def _rest(arm: str) -> str:
    return "rest" if arm == "off" else "off"
