"""Experiments over a journal in a file, and their commands."""

from pathlib import Path
from typing import Any, cast

from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.stand_ins.manual_clock import ManualClock
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.flags import Rule
from tickflag.common.log import Logger
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.messages import Audit, Reply, Request
from tickflag.services.collector.commands import CollectorCommands
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.experiments.commands import ExperimentCommands
from tickflag.services.collector.experiments.journalled_experiments import JournalledExperiments
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.views.views import Views

HALF = {"use_ema": Rule(default=False, percentage=50)}
AUDIT = Audit(trader="rsi", incarnation=1, cycle=1, time_ms=1, symbols=5, part_ns=10, full_ns=100)


class JournalledExperimentsHarness:
    """Answers requests through the codec; `restart` begins another life. Close it at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock(1_000_000_000_000)
        self.log = RecordedLog()
        self.journal = Journal(path)
        self.restart()

    def restart(self) -> None:
        """Begin another life as after a kill: nothing is saved first."""
        self.journal.close()
        self.journal = Journal(self.path)
        self.experiments = JournalledExperiments(RecordStore(self.journal), self.clock, cast(Logger, self.log))
        control = ControlState()
        others = ExperimentCommands(self.experiments).commands
        self.commands = CollectorCommands(
            Views(control.resync, 1), self.journal, control, self.clock, dict, others, saving=self.experiments.saving
        )

    def reply(self, what: str, **arguments: Any) -> Reply:
        request = decode_as(Request, encode(Request(id=5, what=what, arguments=arguments)))
        return decode_as(Reply, encode(self.commands.answer(request)))

    def ask(self, what: str, **arguments: Any) -> Any:
        reply = self.reply(what, **arguments)
        assert reply.error == ""
        return reply.result

    def audits(self) -> int:
        overall = self.ask("experiments")["tracking"]["overall"]
        return 0 if overall is None else int(overall["audits"])

    def run_experiment(self) -> None:
        """Run an experiment on the feature flag `use_ema`; the trader `vwap` works for a cycle of 500 ns and sends one
        result."""
        self.experiments.follow(HALF)
        trader = FakeTrader("vwap")
        for cycles in (1, 2):
            self.clock.now_ns += 2_000_000_000
            self.experiments.apply(trader.heartbeat().model_copy(update={"cycles": cycles, "cpu_ns": cycles * 500}))
        self.clock.now_ns += 1_000
        self.experiments.apply(trader.change(A=1.0).model_copy(update={"oldest_ns": self.clock.now_ns - 700}))

    def close(self) -> None:
        self.journal.close()
