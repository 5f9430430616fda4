"""ExperimentDesk: the experiments of a running collector, kept in the journal, and the commands on them.

experiments         flag      what was measured: of this flag, or of all
experiments.reset   flag      begin the sums of a flag anew; takes `who` as well
"""

from collections.abc import Callable, Mapping
from typing import Any

from common.clock import Clock
from common.errors import TickflagError
from common.flags import Rule
from common.log import Logger
from common.messages import Audit, Delta, Heartbeat, Snapshot
from services.collector.commands import Arguments
from services.collector.experiments import Experiments
from services.collector.records import Records

DOCUMENT = "experiments"
"""Its name among the records."""
SAVE_EVERY_NS = 10_000_000_000


class ExperimentDesk:
    """One thread. What came since the last save is lost with the process, and nothing else."""

    def __init__(self, records: Records, clock: Clock, log: Logger) -> None:
        self._records, self._clock, self._log = records, clock, log
        self._save_due_ns = 0
        self._experiments = self._loaded()
        self.commands: dict[str, Callable[[Arguments], Any]] = {
            "experiments": self._report,
            "experiments.reset": self._reset,
        }

    def follow(self, rules: Mapping[str, Rule]) -> None:
        """The rules of the feature flags that count now."""
        self._experiments.follow(rules, self._clock.monotonic_ns(), self._now_ms())

    def take(self, message: Heartbeat | Delta | Snapshot | Audit) -> None:
        """A message of a trader that is not gone came just now."""
        self._experiments.take(message, self._clock.monotonic_ns())

    def retire(self, trader: str) -> None:
        """A trader is gone for good."""
        self._experiments.retire(trader)

    def saving(self) -> dict[str, Any] | None:
        """What tracking saves over all traders, with its interval; None before the first audit."""
        return self._experiments.saving()

    def save_if_due(self) -> None:
        """Write to the journal what changed, now and then."""
        now_ns = self._clock.monotonic_ns()
        if self._experiments.changed and now_ns >= self._save_due_ns:
            self._save_due_ns = now_ns + SAVE_EVERY_NS
            self.save()

    def save(self) -> None:
        """Write to the journal what changed."""
        if self._experiments.changed:
            self._records.write((), {DOCUMENT: self._experiments.to_dict()})
            self._experiments.changed = False

    def _loaded(self) -> Experiments:
        try:
            saved = self._records.document(DOCUMENT)
            if saved is not None:
                if not isinstance(saved, dict):
                    raise ValueError("it is no object")
                return Experiments.from_dict(saved, self._now_ms())
        except ValueError as error:
            reason = str(error).splitlines()[0]
            self._log.warning("experiments begin anew, as what was saved of them is damaged", reason=reason)
        return Experiments(self._now_ms())

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // 1_000_000

    def _report(self, arguments: Arguments) -> dict[str, Any]:
        flag = arguments.text("flag", "")
        arguments.end()
        if flag:
            self._check(flag)
        return self._experiments.report(flag or None)

    def _reset(self, arguments: Arguments) -> dict[str, Any]:
        flag, who = arguments.text("flag"), arguments.who()
        arguments.end()
        self._check(flag)
        self._experiments.reset(flag, self._now_ms())
        self._log.info("experiment begins anew", flag=flag, who=who)
        return self._experiments.report(flag)

    def _check(self, flag: str) -> None:
        known = self._experiments.flags
        if flag not in known:
            raise TickflagError(
                f"no experiment on {flag[:80]!r}: there are {', '.join(known)}; `tickflag flags set FLAG 50` begins one"
            )
