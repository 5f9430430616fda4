"""Experiments with a clock that the test moves, and traders whose work the test reports."""

import json
from typing import Any

from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.stand_ins.manual_clock import ManualClock
from tickflag.common.flags import Rule
from tickflag.common.wire.messages import Audit, Heartbeat
from tickflag.services.collector.experiments.experiment import SETTLE_NS
from tickflag.services.collector.experiments.experiments import Experiments

FLAG = "use_ema"


class ExperimentsHarness:
    """`rule` sets the rule of the feature flag; `work` lets a trader work and report."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_000_000_000_000)
        self.experiments = Experiments(self.time_ms)
        self._counts: dict[tuple[str, int], dict[str, int]] = {}

    @property
    def time_ms(self) -> int:
        return self.clock.now_ns // 1_000_000

    def rule(self, flag: str = FLAG, **fields: Any) -> None:
        self.rules({flag: Rule.model_validate({"default": False, **fields})})

    def rules(self, rules: dict[str, Rule]) -> None:
        self.experiments.follow(rules, self.clock.now_ns, self.time_ms)

    def pass_time(self, ns: int = SETTLE_NS) -> None:
        self.clock.now_ns += ns

    def work(self, trader: str, incarnation: int = 1, owner: str = "", ns: int = 1_000_000_000, **steps: int) -> None:
        """Send a heartbeat `ns` later, with the trader's counts grown by `steps`."""
        self.clock.now_ns += ns
        counts = self._counts.setdefault((trader, incarnation), {})
        for name, step in steps.items():
            counts[name] = counts.get(name, 0) + step
        self.take(FakeTrader(trader, incarnation).heartbeat().model_copy(update={"owner": owner, **counts}))

    def result(self, trader: str, latency_ns: int, incarnation: int = 1) -> None:
        delta = FakeTrader(trader, incarnation).change(A=1.0)
        self.take(delta.model_copy(update={"oldest_ns": self.clock.now_ns - latency_ns}))

    def audit(self, trader: str, part_ns: int, full_ns: int) -> None:
        self.take(
            Audit(
                trader=trader, incarnation=1, cycle=1, time_ms=1, symbols=5, pending=0, part_ns=part_ns, full_ns=full_ns
            )
        )

    def take(self, message: Any) -> None:
        assert isinstance(message, Heartbeat | Audit) or message.kind in ("delta", "snapshot")
        self.experiments.apply(message, self.clock.now_ns)

    def restart(self) -> None:
        """Begin another life with what this one saved."""
        saved = json.loads(json.dumps(self.experiments.to_dict()))
        self.experiments = Experiments.from_dict(saved, self.time_ms)

    def shown(self, flag: str = FLAG) -> dict[str, Any]:
        (found,) = self.experiments.report(flag)["experiments"]
        assert isinstance(found, dict)
        return found

    def arm(self, name: str, flag: str = FLAG) -> dict[str, Any]:
        (found,) = (arm for arm in self.shown(flag)["arms"] if arm["arm"] == name)
        assert isinstance(found, dict)
        return found

    def metric(self, name: str, arm: str = "on", flag: str = FLAG) -> dict[str, Any]:
        """A metric of an arm, compared with the base."""
        (comparison,) = (one for one in self.shown(flag)["comparisons"] if one["arm"] == arm)
        (found,) = (metric for metric in comparison["metrics"] if metric["metric"] == name)
        assert isinstance(found, dict)
        return found
