"""Recovery over a journal that outlives it, and its commands."""

from types import TracebackType
from typing import Any, Self, cast

from tests.support.stand_ins.manual_clock import ManualClock
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.log import Logger
from tickflag.common.settings_schema.collector import RecoveryBlock
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.arguments import Arguments
from tickflag.common.wire.messages import Fault, FaultKind, Heartbeat, Roster, RosterEntry
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import NoticeQueue
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.recovery.commands import RecoveryCommands
from tickflag.services.collector.recovery.recovery import Recovery


class RecoveryHarness:
    """Lets traders fail and report; `start` begins another life. Close it, or use it in a `with` block."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_000 * NS_PER_S)
        self.log = RecordedLog()
        self.journal = Journal(":memory:")
        self.record_store = RecordStore(self.journal)
        self.opened: list[tuple[str, str]] = []
        self.cycle = 0
        self.start()

    def start(self) -> None:
        self.control = ControlState()
        limits = RecoveryBlock()  # type: ignore[call-arg] # Field's first argument is the default
        log = cast(Logger, self.log)
        self.notices = NoticeQueue(self.clock)
        self.recovery = Recovery(
            limits,
            self.record_store,
            self.notices,
            self.control,
            self.clock,
            log,
            lambda *told: self.opened.append(told),
        )
        self.commands = RecoveryCommands(self.recovery).commands

    def fail(self, what: FaultKind, count: int = 1, trader: str = "rsi", cycles: int = 0) -> None:
        for _ in range(count):
            self.cycle += 1
            self.recovery.apply_fault(
                Fault(
                    trader=trader, incarnation=1, cycle=self.cycle, time_ms=self.cycle, what=what, text=f"it {what}s",
                    stack="where", cycles=cycles,
                )
            )  # fmt: skip

    def beat(self, cycles: int, incarnation: int = 1) -> None:
        self.recovery.apply_heartbeat(
            Heartbeat(
                trader="rsi", incarnation=incarnation, seq=0, cycle=0, time_ms=0, cycles=cycles, pid=1, state="running"
            )
        )

    def version(self, version: str, settings: str = "") -> None:
        entry = RosterEntry(name="rsi", state="running", trader_version=version, settings=settings)
        self.recovery.apply_roster(Roster(pid=1, time_ms=1, traders=[entry]))

    def ask(self, what: str, **arguments: Any) -> Any:
        return self.commands[what](Arguments(what, arguments))

    def write(self) -> list[tuple[str, str, str]]:
        """Write what waits for the journal; gives the contents of the notices."""
        told = self.record_store.write(self.notices.drain(), self.recovery.drain_documents(errors_too=True))
        return [(notice.what, notice.after, notice.reason) for notice in told]

    def modes(self) -> tuple[list[str], dict[str, int], dict[str, int]]:
        control = self.control.document(0)
        return control.process_all, control.quarantined, control.fresh

    def close(self) -> None:
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
