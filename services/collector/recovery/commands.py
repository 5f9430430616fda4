"""RecoveryCommands: what operators ask of circuits and errors.

circuits                   every trader whose circuits ever counted a failure, or the one that `trader` names
errors    trader           the error book, of one trader or of all, the latest error first
release   trader, who      close both circuits of a trader, and hold nothing against it
"""

from dataclasses import asdict
from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.common.wire.arguments import Arguments, Command
from tickflag.services.collector.recovery.recovery import Recovery


class RecoveryCommands:
    """The commands run between two commits. One thread."""

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery
        self.commands: dict[str, Command] = {
            "circuits": self._circuits,
            "errors": self._errors,
            "release": self._release,
        }

    def _circuits(self, arguments: Arguments) -> list[dict[str, Any]]:
        trader = arguments.text("trader", "")
        arguments.end()
        return [summary for summary in self._recovery.summaries() if trader in ("", summary["trader"])]

    def _errors(self, arguments: Arguments) -> dict[str, Any]:
        trader = arguments.text("trader", "")
        arguments.end()
        book = self._recovery.error_book
        return {"errors": [asdict(error) for error in book.errors(trader or None)], "forgotten": book.forgotten}

    def _release(self, arguments: Arguments) -> dict[str, Any]:
        trader, who = arguments.text("trader"), arguments.who()
        arguments.end()
        if not self._recovery.release(trader, who):
            raise TickflagError(f"trader {trader[:80]!r} has no circuit that ever opened or counted a failure")
        return {"trader": trader, "circuits": self._recovery.states(trader)}
