"""JournalledExperiments: the experiments of a running collector, which the journal keeps over its lives."""

from collections.abc import Mapping
from typing import Any

from tickflag.common.clock import Clock
from tickflag.common.flags import Rule
from tickflag.common.log import Logger
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire.messages import Audit, Delta, Heartbeat, Snapshot
from tickflag.services.collector.experiments.experiments import Experiments
from tickflag.services.collector.journal.record_store import RecordStore

DOCUMENT = "experiments"
"""The document's name in the record store."""
SAVE_EVERY_NS = 10 * NS_PER_S


class JournalledExperiments:
    """One thread. A process that is killed loses the measurements since the last save, and nothing else."""

    def __init__(self, record_store: RecordStore, clock: Clock, log: Logger) -> None:
        self._record_store, self._clock, self._log = record_store, clock, log
        self._save_due_ns = 0
        self._experiments = self._loaded()

    def follow(self, rules: Mapping[str, Rule]) -> None:
        """Begin and end experiments by the rules of the feature flags that apply now."""
        self._experiments.follow(rules, self._clock.monotonic_ns(), self._now_ms())

    def apply(self, message: Heartbeat | Delta | Snapshot | Audit) -> None:
        """Count a message of a trader that is not retired. The message came just now."""
        self._experiments.apply(message, self._clock.monotonic_ns())

    def retire(self, trader: str) -> None:
        """Retire a trader that is gone for good."""
        self._experiments.retire(trader)

    @property
    def flags(self) -> list[str]:
        """The feature flags that have sums, sorted."""
        return self._experiments.flags

    def report(self, flag: str | None = None) -> dict[str, Any]:
        """What was measured, on one feature flag or on all."""
        return self._experiments.report(flag)

    def reset(self, flag: str, who: str) -> None:
        """Begin the sums of a feature flag anew. `flag` must be one of `flags`."""
        self._experiments.reset(flag, self._now_ms())
        self._log.info("experiment begins anew", flag=flag, who=who)

    def saving(self) -> dict[str, Any] | None:
        """What tracking saves over all traders, with its interval; None before the first audit."""
        return self._experiments.saving()

    def save_if_due(self) -> None:
        """Write changes to the journal, but not too often."""
        now_ns = self._clock.monotonic_ns()
        if self._experiments.changed and now_ns >= self._save_due_ns:
            self._save_due_ns = now_ns + SAVE_EVERY_NS
            self.save()

    def save(self) -> None:
        """Write changes to the journal."""
        if self._experiments.changed:
            self._record_store.write((), {DOCUMENT: self._experiments.to_dict()})
            self._experiments.changed = False

    def _loaded(self) -> Experiments:
        try:
            saved = self._record_store.document(DOCUMENT)
            if saved is not None:
                if not isinstance(saved, dict):
                    raise ValueError("it is no object")
                return Experiments.from_dict(saved, self._now_ms())
        except ValueError as error:
            reason = str(error).splitlines()[0]
            self._log.warning("experiments begin anew, as what was saved of them is damaged", reason=reason)
        return Experiments(self._now_ms())

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // NS_PER_MS
