"""Experiments: every feature flag that divides the traders into arms, and the standing one on tracking."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from pydantic import TypeAdapter

from common.flags import Rule, by_symbol
from common.messages import Audit, Delta, Heartbeat, Name, Snapshot
from services.collector.armsums import Reading
from services.collector.experiment import Experiment, Kept, arm_keys, variants
from services.collector.saving import Saving

TRACKING = "per_symbol_tracking"
"""The flag of the standing experiment."""


@dataclass(slots=True)
class Document:
    """All that outlives the process."""

    version: Literal[1] = 1
    experiments: dict[Name, Kept] = field(default_factory=dict)
    saving: Saving = field(default_factory=Saving)


class Experiments:
    """Pure; one thread. Times are monotonic ns, those in ms UTC.

    Sums of a flag stay when its percentage moves and when it ends at 0 or 100. They begin anew with other arms, or by
    `reset`; a flag that is removed takes them with it.
    """

    def __init__(self, time_ms: int, document: Document | None = None) -> None:
        """With what a former life left."""
        self._document = document or Document(saving=Saving(time_ms))
        self._all = {flag: Experiment(flag, kept) for flag, kept in self._document.experiments.items()}
        self._running: tuple[Experiment, ...] = ()
        self._rules: Mapping[str, Rule] = {}
        self.changed = document is None
        """What `to_dict` gives has changed since somebody set this to False."""

    @classmethod
    def from_dict(cls, saved: Any, time_ms: int) -> Self:
        """What `to_dict` gave. Raises ValueError for anything else."""
        return cls(time_ms, TypeAdapter(Document).validate_python(saved))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return asdict(self._document)

    def follow(self, rules: Mapping[str, Rule], now_ns: int, time_ms: int) -> None:
        """The rules that count from now on; never changed by their owner, who gives others."""
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

    def take(self, message: Heartbeat | Delta | Snapshot | Audit, now_ns: int) -> None:
        """A message of a trader that is not gone came."""
        if message.kind == "audit":
            self.changed |= self._document.saving.audited(message.trader, message.part_ns, message.full_ns)
        elif not self._running:
            return
        elif message.kind == "heartbeat":
            reading = Reading.of(message, now_ns)
            for one in self._running:
                self.changed |= one.beat(message.trader, message.owner, reading)
        elif message.oldest_ns:
            latency_ns = max(now_ns - message.oldest_ns, 0)
            for one in self._running:
                self.changed |= one.arrived(message.trader, message.incarnation, latency_ns)

    def retire(self, trader: str) -> None:
        """A trader is gone for good; what it did stays in the sums."""
        for one in self._all.values():
            self.changed |= one.retire(trader)
        self.changed |= self._document.saving.retire(trader)

    def reset(self, flag: str, time_ms: int) -> None:
        """Begin the sums of a flag anew. It must be one of `flags`."""
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
        """The flags that have sums, sorted; the one of the standing experiment is always there."""
        return sorted(self._all.keys() | {TRACKING})

    def saving(self) -> dict[str, Any] | None:
        """What tracking saves over all traders; None before the first audit."""
        return self._document.saving.overall()

    def report(self, flag: str | None = None) -> dict[str, Any]:
        """Plain values: `experiments` by flag, or of one flag, and `tracking`, which is None for other flags."""
        saving = self._document.saving
        tracking = {"since_ms": saving.since_ms, "overall": saving.overall(), "traders": saving.by_trader()}
        return {
            "experiments": [self._all[name].shown() for name in sorted(self._all) if flag in (None, name)],
            "tracking": tracking if flag in (None, TRACKING) else None,
        }

    def _follow(self, flag: str, rule: Rule, now_ns: int, time_ms: int) -> None:
        known = self._all.get(flag)
        if not variants(rule):
            if known is not None:
                known.end()
            return
        keys = arm_keys(rule)
        if known is None or known.kept.keys != keys:
            kept = self._document.experiments[flag] = Kept(keys, time_ms)
            known = self._all[flag] = Experiment(flag, kept)
            self.changed = True
        known.follow(rule, now_ns)
