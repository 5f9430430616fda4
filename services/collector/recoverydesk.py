"""RecoveryDesk: takes what traders fail of, moves their circuits, and says in the control state what is to be done.

circuits                   every trader whose circuits are not as new, or the one that `trader` names
errors    trader           the error book, of one trader or of all, the one that came last first
release   trader, who      close both circuits of a trader, and hold nothing against it
notices   since, limit     what happened to circuits and feature flags, with numbers above `since`
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from common.blocks import RecoveryBlock
from common.clock import Clock
from common.errors import TickflagError
from common.log import Logger
from common.messages import Fault, Heartbeat, Roster
from services.collector.circuit import Circuit, Limits, Transition
from services.collector.commands import Arguments
from services.collector.control import ControlState
from services.collector.faults import ErrorBook
from services.collector.records import NoticeDraft, Records
from services.collector.recovery import Recovery

CIRCUITS, ERRORS = "circuits", "errors"  # documents
SAVE_ERRORS_NS = 10_000_000_000  # the book may be large, and loses only counts
RECENT_MS = 60_000
PAGE = 1_000
MAX_PAGE = 10_000

_BY_TIME = {
    ("tracking", "closed"): "enough clean cycles",
    ("plugin", "closed"): "enough clean cycles in the probe",
    ("plugin", "half-open"): "the quarantine is over: a probe",
    ("plugin", "open"): "no cycle in the probe",
}


class RecoveryDesk:
    """One thread. Between two commits, as all commands. `opened` is called with trader and reason whenever a circuit
    opens."""

    def __init__(
        self,
        settings: RecoveryBlock,
        records: Records,
        control: ControlState,
        clock: Clock,
        log: Logger,
        opened: Callable[[str, str], object],
    ) -> None:
        self._limits = Limits.of(settings)
        self._records, self._control, self._clock, self._log = records, control, clock, log
        self._opened = opened
        self._recovery = Recovery(self._limits)
        self._restore()
        self._clean: dict[str, tuple[int, int]] = {}  # trader -> incarnation, its clean cycles known so far
        self._versions: dict[str, str] = {}
        self._notices: list[NoticeDraft] = []
        self._circuits_moved = self._errors_came = False  # since they were written
        self._errors_due_ns = 0
        self.transitions: dict[tuple[str, str, str], int] = {}
        """(trader, circuit, state) -> how often it was entered, in this life."""
        self.commands: dict[str, Callable[[Arguments], Any]] = {
            "circuits": self._circuits,
            "errors": self._errors,
            "release": self._release,
            "notices": self._list_notices,
        }
        self.look()

    # What it is told.

    def fault(self, message: Fault) -> None:
        """A cycle or a worker failed."""
        now_ns = self._clock.monotonic_ns()
        self._count_clean(message.trader, message.incarnation, message.cycles, now_ns)
        failure = (message.incarnation, message.cycle)
        text, stack = message.text, message.stack
        self._recovery.failed(now_ns, message.trader, message.what, failure, text, message.time_ms, stack)
        self._circuits_moved = self._errors_came = True
        self.look(message.text)

    def heartbeat(self, message: Heartbeat) -> None:
        """A worker lives, and has had so many clean cycles."""
        if self._count_clean(message.trader, message.incarnation, message.cycles, self._clock.monotonic_ns()):
            self.look()

    def roster(self, message: Roster) -> None:
        """A new version of a trader's code begins with nothing held against it."""
        for entry in message.traders:
            before = self._versions.get(entry.name, "")
            if entry.trader_version and entry.trader_version != before:
                self._versions[entry.name] = entry.trader_version
                if before:
                    self._recovery.release(self._clock.monotonic_ns(), entry.name)
                    self.look("another version of its code runs")

    def forget(self, trader: str) -> None:
        """A trader is gone for good."""
        self._recovery.forget(trader)
        self._clean.pop(trader, None)
        self._versions.pop(trader, None)
        self._circuits_moved = self._errors_came = True
        self.look()

    def note(self, what: str, before: str, after: str, reason: str, trader: str = "") -> None:
        """Have something else told as a notice."""
        self._notices.append(NoticeDraft(self._now_ms(), trader, what, before[:4096], after[:4096], reason[:4096]))

    # What comes of it.

    def look(self, reason: str = "") -> None:
        """Take in that time has passed; `reason` is why anything else moved."""
        now_ns = self._clock.monotonic_ns()
        for trader, circuit, step in self._recovery.advance(now_ns):
            self._tell(trader, circuit, step, reason)
        process_all, quarantined, fresh = [], {}, {}
        for trader in self._recovery.traders():
            mode = self._recovery.mode(now_ns, trader)
            if mode.process_all:
                process_all.append(trader)
            if mode.worker == "quarantined":
                quarantined[trader] = self._recovery.circuits(trader)["plugin"].opened
            if mode.fresh_starts:
                fresh[trader] = mode.fresh_starts
        self._control.set_modes(process_all, quarantined, fresh)

    @property
    def due_ns(self) -> int | None:
        """When time alone changes something; None for never."""
        return self._recovery.due_ns()

    def take_unwritten(self, errors_too: bool) -> tuple[list[NoticeDraft], dict[str, Any]]:
        """Notices and documents to be written before the control state is published; the error book now and then."""
        now_ns = self._clock.monotonic_ns()
        notices, self._notices = self._notices, []
        documents: dict[str, Any] = {}
        if self._circuits_moved:
            self._circuits_moved = False
            documents[CIRCUITS] = self._recovery.saved(now_ns)
        if self._errors_came and (errors_too or now_ns >= self._errors_due_ns):
            self._errors_came = False
            self._errors_due_ns = now_ns + SAVE_ERRORS_NS
            documents[ERRORS] = self._recovery.book.saved()
        return notices, documents

    def standing(self, trader: str) -> dict[str, Any]:
        """For the line of a trader: the state of each circuit, and the last fault, while it is not older than a
        minute."""
        faults = self._recovery.book.faults(trader)
        recent = bool(faults) and self._now_ms() - faults[0].last_ms < RECENT_MS
        return {"circuits": self.states(trader), "fault": faults[0].text if recent else ""}

    def states(self, trader: str) -> dict[str, str]:
        """Circuit -> state."""
        circuits = self._recovery.circuits(trader)
        return {kind: circuits[kind].state if circuits else "closed" for kind in ("tracking", "plugin")}

    def _tell(self, trader: str, circuit: Circuit, step: Transition, reason: str) -> None:
        why = reason or _BY_TIME.get((circuit.kind, step.after), "")
        self._circuits_moved = True
        key = (trader, circuit.kind, step.after)
        self.transitions[key] = self.transitions.get(key, 0) + 1
        self.note(f"{circuit.kind} circuit", step.before, step.after, why, trader)
        told = self._log.info if step.after == "closed" else self._log.warning
        told(f"{circuit.kind} circuit", trader=trader, before=step.before, after=step.after, reason=why)
        if step.before == "closed":
            self._opened(trader, f"{circuit.kind} circuit of trader {trader!r} opened")

    def _count_clean(self, trader: str, incarnation: int, cycles: int, now_ns: int) -> int:
        """Cycles that succeeded since the last word of this trader; gives how many."""
        known_incarnation, known = self._clean.get(trader, (incarnation, 0))
        if incarnation < known_incarnation:
            return 0
        clean = cycles - known if incarnation == known_incarnation else cycles
        if clean <= 0 and incarnation == known_incarnation:
            return 0
        self._clean[trader] = (incarnation, cycles)
        for _ in range(min(clean, self._limits.clean_cycles)):
            self._recovery.succeeded(now_ns, trader)
        return clean if self._recovery.circuits(trader) else 0

    def _restore(self) -> None:
        try:
            circuits, errors = self._records.document(CIRCUITS), self._records.document(ERRORS)
            if circuits is not None:
                self._recovery.restore(circuits, self._clock.monotonic_ns())
            if errors is not None:
                self._recovery.book = ErrorBook.of_saved(errors)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:  # written by another version
            self._log.warning("what was saved of the circuits cannot be used", reason=repr(error))

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // 1_000_000

    # Commands.

    def _circuits(self, arguments: Arguments) -> list[dict[str, Any]]:
        wanted = arguments.text("trader", "")
        arguments.end()
        now_ns = self._clock.monotonic_ns()
        return [
            {"trader": trader, "circuit": kind, **circuit.shown(now_ns)}
            for trader in sorted(self._recovery.traders())
            if wanted in ("", trader)
            for kind, circuit in self._recovery.circuits(trader).items()
        ]

    def _errors(self, arguments: Arguments) -> dict[str, Any]:
        trader = arguments.text("trader", "")
        arguments.end()
        book = self._recovery.book
        return {"errors": [asdict(fault) for fault in book.faults(trader or None)], "forgotten": book.forgotten}

    def _release(self, arguments: Arguments) -> dict[str, Any]:
        trader, who = arguments.text("trader"), arguments.who()
        arguments.end()
        if not self._recovery.circuits(trader):
            raise TickflagError(f"trader {trader[:80]!r} has no circuit that ever opened or counted a failure")
        self._recovery.release(self._clock.monotonic_ns(), trader)
        self._circuits_moved = True
        self.look(f"released by {who}")
        return {"trader": trader, "circuits": self.states(trader)}

    def _list_notices(self, arguments: Arguments) -> dict[str, Any]:
        since = arguments.number("since", max(0, self._records.last_seq - PAGE), 0)
        limit = arguments.number("limit", PAGE, 1, MAX_PAGE)
        arguments.end()
        notices = [notice.model_dump() for notice in self._records.notices(since, limit)]
        return {"notices": notices, "first_seq": self._records.first_seq, "last_seq": self._records.last_seq}
