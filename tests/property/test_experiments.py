"""The sums of an experiment equal those of a plain model that gets the whole timeline at once.

The model cuts a trader's time into stints, in each of which the trader is in one arm. What counts is the difference
between neighbouring heartbeats of one incarnation, once a stint has settled.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.harnesses.experiments_harness import FLAG, ExperimentsHarness
from tickflag.common.flags import Arm, Rule
from tickflag.services.collector.experiments.experiment import SETTLE_NS

TRADERS = ["vwap", "breakout", "macd", "rsi", "t4"]
AB = (Arm(name="a", share=60.0), Arm(name="off", share=40.0, value=False))
RULES = [
    Rule(default=False),
    Rule(default=False, percentage=5),
    Rule(default=False, percentage=40),
    Rule(default=False, percentage=60),
    Rule(default=False, percentage=60, force={"rsi": True}),
    Rule(default=False, percentage=100),
    Rule(default=False, percentage=50, arms=AB),
    Rule(default=False, percentage=100, arms=AB),
]


class Beat(NamedTuple):
    at_ns: int
    incarnation: int
    cycles: int
    cpu_ns: int


class Arrival(NamedTuple):
    at_ns: int
    incarnation: int
    latency_ns: int


@dataclass
class Stint:
    """A trader in one arm, and all that it sent meanwhile."""

    arm: str | None
    from_ns: int
    sent: list[Beat | Arrival] = field(default_factory=list)

    def sums(self) -> tuple[int, int, int, int]:
        """Cycles, processor time, latency, results."""
        cycles = cpu_ns = latency_ns = results = 0
        heard = [one for one in self.sent if one.at_ns >= self.from_ns]
        for place, one in enumerate(heard):
            before = next((beat for beat in reversed(heard[:place]) if isinstance(beat, Beat)), None)
            if before is None or before.incarnation != one.incarnation:
                continue
            if isinstance(one, Beat):
                cycles, cpu_ns = cycles + one.cycles - before.cycles, cpu_ns + one.cpu_ns - before.cpu_ns
            else:
                latency_ns, results = latency_ns + one.latency_ns, results + 1
        return cycles, cpu_ns, latency_ns, results


class Model:
    """All stints of the present experiment, of present traders and of those that have gone."""

    def __init__(self) -> None:
        self.rule: Rule | None = None
        self.arms: tuple[Arm, ...] | None = None
        self.changed_ns = 0
        self.stints: dict[str, list[Stint]] = defaultdict(list)
        self.open: dict[str, Stint] = {}

    def follow(self, rule: Rule, now_ns: int) -> None:
        if rule.percentage in (None, 100) and not rule.arms:
            self.rule, self.open = None, {}
            return
        if rule == self.rule:
            return
        if self.arms != rule.arms:
            self.stints.clear()
            self.open = {}
        self.rule, self.arms, self.changed_ns = rule, rule.arms, now_ns
        for trader, stint in list(self.open.items()):
            if self.arm(trader) != stint.arm:
                self.begin(trader)

    def send(self, trader: str, one: Beat | Arrival) -> None:
        if self.rule is None:
            return
        if trader not in self.open:
            if isinstance(one, Arrival):
                return
            self.begin(trader)
        self.open[trader].sent.append(one)

    def begin(self, trader: str) -> None:
        self.open[trader] = Stint(self.arm(trader), self.changed_ns + SETTLE_NS)
        self.stints[trader].append(self.open[trader])

    def restart(self) -> None:
        self.rule, self.open = None, {}

    def arm(self, trader: str) -> str | None:
        assert self.rule is not None
        decision = self.rule.decide(FLAG, trader)
        if decision.reason != "percentage" or (self.rule.arms and decision.arm is None):
            return None
        return decision.arm or "off"

    def totals(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for stint in (one for stints in self.stints.values() for one in stints):
            if stint.arm is not None:
                found[stint.arm] = tuple(map(sum, zip(found.get(stint.arm, (0,) * 4), stint.sums(), strict=True)))
        return {arm: sums for arm, sums in found.items() if any(sums)}


traders = st.sampled_from(TRADERS)
gaps = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("rule"), st.sampled_from(RULES)),
    st.tuples(st.just("beat"), traders, st.integers(0, 5), st.integers(0, 9)),
    st.tuples(st.just("beat"), traders, st.integers(0, 5), st.integers(0, 9)),
    st.tuples(st.just("beat"), traders, st.integers(0, 5), st.integers(0, 9)),
    st.tuples(st.just("result"), traders, st.integers(0, 99)),
    st.tuples(st.just("anew"), traders),
    st.tuples(st.just("retire"), traders),
    st.tuples(st.just("restart")),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(gaps, steps), max_size=60))
def test_sums_are_those_of_the_timeline(timeline: list[tuple[int, tuple[Any, ...]]]) -> None:
    """The sums agree with ramps, forced traders, other arms, restarts of workers and of the collector, and traders that
    go."""
    trial, model = ExperimentsHarness(), Model()
    incarnations, counts = dict.fromkeys(TRADERS, 1), dict.fromkeys(TRADERS, (0, 0))
    current = RULES[0]
    for gap, (what, *words) in timeline:
        trial.pass_time(gap * SETTLE_NS // 2)
        now_ns = trial.clock.now_ns
        if what == "rule":
            current = words[0]
            trial.rules({FLAG: current})
            model.follow(current, now_ns)
        elif what == "beat":
            trader, cycles, cpu_ns = words
            before = counts[trader]
            counts[trader] = (before[0] + cycles, before[1] + cpu_ns)
            trial.work(trader, incarnations[trader], ns=0, cycles=cycles, cpu_ns=cpu_ns)
            model.send(trader, Beat(now_ns, incarnations[trader], *counts[trader]))
        elif what == "result":
            trader, latency_ns = words
            trial.result(trader, latency_ns, incarnations[trader])
            model.send(trader, Arrival(now_ns, incarnations[trader], latency_ns))
        elif what == "anew":
            incarnations[words[0]] += 1
            counts[words[0]] = (0, 0)
        elif what == "retire":
            trial.experiments.retire(words[0])
            model.open.pop(words[0], None)
        else:
            trial.restart()
            trial.rules({FLAG: current})
            model.restart()
            model.follow(current, now_ns)
    totals: dict[str, tuple[int, ...]] = {}
    for kept in trial.experiments.to_dict()["experiments"].values():
        for name, arm in kept["arms"].items():
            every = [*arm["traders"].values(), arm["gone"]]
            fields = ("cycles", "cpu_ns", "latency_ns", "results")
            totals[name] = tuple(sum(sums[field] for sums in every) for field in fields)
    assert {arm: sums for arm, sums in totals.items() if any(sums)} == model.totals()
