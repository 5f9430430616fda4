"""Experiments: one on every feature flag that divides the traders into arms, and a permanent one on tracking."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from pydantic import TypeAdapter

from tickflag.common.flags import Rule, by_symbol
from tickflag.common.wire.messages import Audit, Delta, Heartbeat, Name, Snapshot
from tickflag.services.collector.experiments.arm_sums import CountReading
from tickflag.services.collector.experiments.experiment import Experiment, ExperimentState, arm_keys, variants
from tickflag.services.collector.experiments.saving import Saving

TRACKING = "per_symbol_tracking"
"""The feature flag of the permanent experiment."""


@dataclass(slots=True)
class ExperimentsDocument:
    """The part of all experiments that outlives the process."""

    version: Literal[1] = 1
    experiments: dict[Name, ExperimentState] = field(default_factory=dict)
    saving: Saving = field(default_factory=Saving)


class Experiments:
    """Pure; one thread. Times in ns are monotonic, times in ms are UTC.

    The sums of a feature flag stay when its percentage moves, and when the experiment ends at 0 or 100. The sums begin
    anew with other arms, and by `reset`. The sums of a feature flag that is removed are dropped.
    """

    def __init__(self, time_ms: int, document: ExperimentsDocument | None = None) -> None:
        """`document` is what a former life left; None where it left nothing."""
        self._document = document or ExperimentsDocument(saving=Saving(time_ms))
        self._all = {flag: Experiment(flag, state) for flag, state in self._document.experiments.items()}
        self._running: tuple[Experiment, ...] = ()
        self._rules: Mapping[str, Rule] = {}
        self.changed = document is None
        """The document has changed since the owner set this to False."""

    @classmethod
    def from_dict(cls, saved: Any, time_ms: int) -> Self:
        """The experiments that `to_dict` gave. Raises ValueError for anything else."""
        return cls(time_ms, TypeAdapter(ExperimentsDocument).validate_python(saved))

    def to_dict(self) -> dict[str, Any]:
        """The document as values that JSON can hold."""
        return asdict(self._document)

    def follow(self, rules: Mapping[str, Rule], now_ns: int, time_ms: int) -> None:
        """Begin and end experiments by the rules that apply from now on. A changed rule must come in a new mapping: the
        same object means the same rules."""
        if rules is self._rules:
            return
        self._rules = rules
        for flag in self._all.keys() - rules.keys():
            del self._all[flag], self._document.experiments[flag]
            self.changed = True
        for flag, rule in rules.items():
            if not by_symbol(flag):
                self._follow(flag, rule, now_ns, time_ms)
        self._running = tuple(one for one in self._all.values() if one.rule is not None)

    def apply(self, message: Heartbeat | Delta | Snapshot | Audit, now_ns: int) -> None:
        """Count a message of a trader that is not retired."""
        if message.kind == "audit":
            self.changed |= self._document.saving.audited(message.trader, message.part_ns, message.full_ns)
        elif not self._running:
            return
        elif message.kind == "heartbeat":
            reading = CountReading.of(message, now_ns)
            for experiment in self._running:
                self.changed |= experiment.apply_reading(message.trader, message.owner, reading)
        elif message.oldest_ns:
            latency_ns = max(now_ns - message.oldest_ns, 0)
            for experiment in self._running:
                self.changed |= experiment.add_latency(message.trader, message.incarnation, latency_ns)

    def retire(self, trader: str) -> None:
        """Retire a trader that is gone for good; its part of the sums stays."""
        for one in self._all.values():
            self.changed |= one.retire(trader)
        self.changed |= self._document.saving.retire(trader)

    def reset(self, flag: str, time_ms: int) -> None:
        """Begin the sums of a feature flag anew. `flag` must be one of `flags`."""
        if flag == TRACKING:
            self._document.saving = Saving(time_ms)
        one = self._all.get(flag)
        if one is not None and one.rule is not None:
            one.reset(time_ms)
        elif one is not None:
            del self._all[flag], self._document.experiments[flag]
        self.changed = True

    @property
    def flags(self) -> list[str]:
        """The feature flags that have sums, sorted. That of the permanent experiment is always among them."""
        return sorted(self._all.keys() | {TRACKING})

    def saving(self) -> dict[str, Any] | None:
        """What tracking saves over all traders; None before the first audit."""
        return self._document.saving.overall()

    def report(self, flag: str | None = None) -> dict[str, Any]:
        """`experiments`, on all feature flags or one, and `tracking`, None where `flag` names any but TRACKING."""
        saving = self._document.saving
        tracking = {"since_ms": saving.since_ms, "overall": saving.overall(), "traders": saving.by_trader()}
        return {
            "experiments": [self._all[name].summary() for name in sorted(self._all) if flag in (None, name)],
            "tracking": tracking if flag in (None, TRACKING) else None,
        }

    def _follow(self, flag: str, rule: Rule, now_ns: int, time_ms: int) -> None:
        experiment = self._all.get(flag)
        if not variants(rule):
            if experiment is not None:
                experiment.end()
            return
        keys = arm_keys(rule)
        if experiment is None or experiment.state.keys != keys:
            state = self._document.experiments[flag] = ExperimentState(keys, time_ms)
            experiment = self._all[flag] = Experiment(flag, state)
            self.changed = True
        experiment.follow(rule, now_ns)
