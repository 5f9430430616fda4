"""ExperimentCommands: what operators ask of the experiments.

experiments         flag      what was measured: on this feature flag, or on all
experiments.reset   flag      begin the sums of a feature flag anew; takes `who` as well
"""

from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.common.wire.arguments import Arguments, Command
from tickflag.services.collector.experiments.journalled_experiments import JournalledExperiments


class ExperimentCommands:
    """The commands run between two commits. One thread."""

    def __init__(self, experiments: JournalledExperiments) -> None:
        self._experiments = experiments
        self.commands: dict[str, Command] = {
            "experiments": self._report,
            "experiments.reset": self._reset,
        }

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
        self._experiments.reset(flag, who)
        return self._experiments.report(flag)

    def _check(self, flag: str) -> None:
        flags = self._experiments.flags
        if flag not in flags:
            raise TickflagError(
                f"no experiment on {flag[:80]!r}: there are {', '.join(flags)}; `tickflag flags set FLAG 50` begins one"
            )
