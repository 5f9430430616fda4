"""Experiment: the arms of one feature flag side by side, each trader in one of them.

A rule with a percentage divides the traders into arms: `on` and `off`, or those that it names; with a single name, the
traders outside it are the other arm. Forced traders were not chosen by chance and are in none.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from common.flags import Rule
from common.flags.buckets import BUCKETS, points
from common.messages import Count, Name
from services.collector.armsums import METRICS, ArmSums, Metric, Reading
from services.collector.ratio import Moments, compared, split

SETTLE_NS = 2_000_000_000
"""After a trader changed its arm nothing is counted for so long, as its worker has yet to learn of it."""

UNLIKELY = 0.001
"""Arms with a less likely number of traders are not compared in good faith."""


class Variant(NamedTuple):
    """An arm, and the buckets that it has at present."""

    name: str
    buckets: int
    value: bool


class ArmKey(NamedTuple):
    """An arm as the rule names it; another one makes another experiment."""

    name: Name
    points: Count
    value: bool


def variants(rule: Rule) -> tuple[Variant, ...]:
    """The arms that a rule divides traders into, none where it puts them all into the same."""
    if rule.killed or rule.percentage is None:
        return ()
    found = [Variant(arm.name, end - start, arm.value) for arm, start, end in rule.ranges()]
    if len(found) == 1:
        found.append(Variant(_rest(found[0].name), BUCKETS - found[0].buckets, False))
    return tuple(found) if sum(variant.buckets > 0 for variant in found) > 1 else ()


def arm_keys(rule: Rule) -> tuple[ArmKey, ...]:
    """By which an experiment is told; not by its percentage, which may grow."""
    return tuple(ArmKey(arm.name, points(arm.share), arm.value) for arm in rule.arms)


@dataclass(slots=True)
class Kept:
    """What is left of an experiment when the process ends."""

    keys: tuple[ArmKey, ...]
    since_ms: Count
    """UTC of its begin."""
    arms: dict[Name, ArmSums] = field(default_factory=dict)


class Seat:
    """Where a trader is, and its last heartbeat there."""

    __slots__ = ("arm", "from_ns", "last", "owner")

    def __init__(self, owner: str, arm: str | None, from_ns: int) -> None:
        self.owner, self.arm, self.from_ns = owner, arm, from_ns
        self.last: Reading | None = None
        """The base of the next difference; None where there is none yet."""


class Experiment:
    """Pure; one thread. Times are monotonic ns.

    It runs while it has a rule. Between two heartbeats of an incarnation is what the trader did in the arm it was in
    all the time; what is between others, or around a change of arm, is not counted.
    """

    def __init__(self, flag: str, kept: Kept) -> None:
        self.flag = flag
        self.kept = kept
        self.rule: Rule | None = None
        self._variants: tuple[Variant, ...] = ()
        self._seats: dict[str, Seat] = {}
        self._from_ns = 0  # of traders that are heard of first

    def follow(self, rule: Rule, now_ns: int) -> None:
        """Begin, or go on with another percentage or other forced traders."""
        if rule == self.rule:
            return
        self._from_ns = now_ns + SETTLE_NS
        self.rule, self._variants = rule, variants(rule)
        for variant in self._variants:
            self.kept.arms.setdefault(variant.name, ArmSums())
        for trader, seat in self._seats.items():
            self._move(trader, seat, now_ns)

    def end(self) -> None:
        """All traders are in the same arm; the sums stay."""
        self.rule, self._variants = None, ()
        self._seats.clear()

    def beat(self, trader: str, owner: str, reading: Reading) -> bool:
        """A heartbeat came; True where it added to the sums."""
        seat = self._seats.get(trader)
        if seat is None:
            seat = self._seats[trader] = Seat(owner, self._arm(trader, owner), self._from_ns)
        elif seat.owner != owner:
            seat.owner = owner
            self._move(trader, seat, reading.at_ns)
        if seat.arm is None or reading.at_ns < seat.from_ns:
            return False
        last, seat.last = seat.last, reading
        if last is None or last.incarnation != reading.incarnation:
            return False
        return self.kept.arms[seat.arm].of(trader).add(last, reading)

    def arrived(self, trader: str, incarnation: int, latency_ns: int) -> bool:
        """A result came; True where it counts."""
        seat = self._seats.get(trader)
        if seat is None or seat.arm is None or seat.last is None or seat.last.incarnation != incarnation:
            return False
        self.kept.arms[seat.arm].of(trader).arrived(latency_ns)
        return True

    def retire(self, trader: str) -> bool:
        """A trader is gone; True where it had sums."""
        self._seats.pop(trader, None)
        return sum(arm.retire(trader) for arm in self.kept.arms.values()) > 0

    def reset(self, time_ms: int) -> None:
        """Begin the sums anew, at `time_ms` UTC."""
        self.kept.since_ms = time_ms
        self.kept.arms = {variant.name: ArmSums() for variant in self._variants}

    def shown(self) -> dict[str, Any]:
        """Plain values."""
        arms = self.kept.arms
        whole = sum(variant.buckets for variant in self._variants)
        shares = {variant.name: 100 * variant.buckets / whole for variant in self._variants}
        present = self._present()
        return {
            "flag": self.flag,
            "running": self.rule is not None,
            "percentage": None if self.rule is None else self.rule.percentage,
            "since_ms": self.kept.since_ms,
            "arms": [
                {"arm": name, "value": self._value(name), "share": shares.get(name), "present": present.get(name, 0)}
                | sums.shown()
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
        # Outside a single arm is the other one, outside several is nowhere.
        return decision.arm or (self._variants[1].name if len(self.rule.arms) < 2 else None)

    def _move(self, trader: str, seat: Seat, now_ns: int) -> None:
        arm = self._arm(trader, seat.owner)
        if arm != seat.arm:
            seat.arm, seat.last, seat.from_ns = arm, None, now_ns + SETTLE_NS

    def _value(self, arm: str) -> bool:
        return {key.name: key.value for key in self.kept.keys or (ArmKey("on", BUCKETS, True),)}.get(arm, False)

    def _baseline(self) -> str | None:
        """What the others are measured against: the first arm in which the flag is off, else the last."""
        names = list(self.kept.arms)
        return next((name for name in names if not self._value(name)), names[-1] if names else None)

    def _present(self) -> dict[str, int]:
        """Arm -> traders that are in it now and have been heard of there."""
        counts = dict.fromkeys((variant.name for variant in self._variants), 0)
        for trader, seat in self._seats.items():
            if seat.arm is not None and trader in self.kept.arms[seat.arm].traders:
                counts[seat.arm] += 1
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
    """There is no interval; the worst reason first."""
    reasons = [f"no data in arm {arm}" for arm, moments in measured.items() if not moments.n]
    reasons += [f"none in arm {arm}" for arm, moments in measured.items() if not moments.x]
    reasons += [f"only one trader in arm {arm}" for arm, moments in measured.items() if moments.n < 2]
    return reasons[0]


def _rest(arm: str) -> str:
    return "rest" if arm == "off" else "off"
