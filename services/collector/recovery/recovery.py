"""Recovery: moves the traders' circuits by their faults and clean cycles, and says in the control state what to do."""

from collections.abc import Callable
from typing import Any

from tickflag.common.clock import Clock
from tickflag.common.errors import damage_in_words
from tickflag.common.log import Logger
from tickflag.common.settings_schema.collector import RecoveryBlock
from tickflag.common.units import MS_PER_S, NS_PER_MS, NS_PER_S
from tickflag.common.wire.messages import Fault, Heartbeat, Roster
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.journal.notice_queue import NoticeQueue
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.recovery.circuit import Circuit, Limits, Transition
from tickflag.services.collector.recovery.circuits import Circuits
from tickflag.services.collector.recovery.error_book import ErrorBook

CIRCUITS, ERRORS = "circuits", "errors"
"""Names of the documents."""
SAVE_ERRORS_NS = 10 * NS_PER_S  # the book may be large, and only counts are lost with it
RECENT_MS = 60 * MS_PER_S

_REASONS = {
    ("tracking", "closed"): "enough clean cycles",
    ("plugin", "closed"): "enough clean cycles in the probe",
    ("plugin", "half-open"): "the quarantine is over: a probe",
    ("plugin", "open"): "no cycle in the probe",
}
"""(circuit, state) -> why a circuit came there, where `update_control` is given no reason."""


class Recovery:
    """One thread. `opened` is called with trader and reason whenever a circuit opens."""

    def __init__(
        self,
        settings: RecoveryBlock,
        record_store: RecordStore,
        notices: NoticeQueue,
        control: ControlState,
        clock: Clock,
        log: Logger,
        opened: Callable[[str, str], object],
    ) -> None:
        self._limits = Limits.of(settings)
        self._notices, self._control, self._clock, self._log = notices, control, clock, log
        self._opened = opened
        self._circuits = Circuits(self._limits)
        self._restore(record_store)
        self._clean_cycles: dict[str, tuple[int, int]] = {}  # trader -> incarnation, its clean cycles so far
        self._versions: dict[str, tuple[str, str]] = {}
        """Trader -> version of the code and digest of the settings that it runs with."""
        self._renewed_ms: dict[str, int] = {}  # trader -> when another of one of them was first heard of
        self._circuits_changed = self._errors_changed = False  # since they were written
        self._errors_due_ns = 0
        self.transitions: dict[tuple[str, str, str], int] = {}
        """(trader, circuit, state) -> how often it was entered, in this life."""
        self.update_control()

    def apply_fault(self, message: Fault) -> None:
        """Count a failed cycle or worker."""
        now_ns = self._clock.monotonic_ns()
        self._count_clean_cycles(message.trader, message.incarnation, message.cycles, now_ns)
        failure = (message.incarnation, message.cycle)
        text, stack = message.text, message.stack
        self._circuits.failed(now_ns, message.trader, message.what, failure, text, message.time_ms, stack)
        self._circuits_changed = self._errors_changed = True
        self.update_control(message.text)

    def apply_heartbeat(self, message: Heartbeat) -> None:
        """Count the clean cycles that a worker tells of."""
        if self._count_clean_cycles(message.trader, message.incarnation, message.cycles, self._clock.monotonic_ns()):
            self.update_control()

    def apply_roster(self, message: Roster) -> None:
        """Release each trader of which another version of the code runs, or which runs with other settings."""
        for entry in message.traders:
            before, now = self._versions.get(entry.name), (entry.trader_version, entry.settings)
            if entry.trader_version and now != before:
                self._versions[entry.name] = now
                if before is not None:
                    self._renewed_ms[entry.name] = self._now_ms()
                    self._circuits.release(self._clock.monotonic_ns(), entry.name)
                    same_code = before[0] == now[0]
                    self.update_control(
                        "it runs with other settings" if same_code else "another version of its code runs"
                    )

    def release(self, trader: str, who: str) -> bool:
        """Close both circuits of a trader for an operator; False where the trader never failed."""
        if not self._circuits.pair(trader):
            return False
        self._circuits.release(self._clock.monotonic_ns(), trader)
        self._circuits_changed = True
        self.update_control(f"released by {who}")
        return True

    def forget(self, trader: str) -> None:
        """Forget a trader that is gone for good."""
        self._circuits.forget(trader)
        self._clean_cycles.pop(trader, None)
        self._versions.pop(trader, None)
        self._renewed_ms.pop(trader, None)
        self._circuits_changed = self._errors_changed = True
        self.update_control()

    def update_control(self, reason: str = "") -> None:
        """Advance the circuits to the present time, and bring the control state up to date. `reason` says why a circuit
        moved; without it, time or clean cycles moved the circuit."""
        now_ns = self._clock.monotonic_ns()
        for trader, circuit, transition in self._circuits.drain_transitions(now_ns):
            self._record_transition(trader, circuit, transition, reason)
        process_all, quarantined, fresh = [], {}, {}
        for trader in self._circuits.traders():
            mode = self._circuits.mode(now_ns, trader)
            if mode.process_all:
                process_all.append(trader)
            if mode.worker == "quarantined":
                quarantined[trader] = self._circuits.pair(trader)["plugin"].opened
            if mode.fresh_starts:
                fresh[trader] = mode.fresh_starts
        self._control.set_modes(process_all, quarantined, fresh)

    @property
    def due_ns(self) -> int | None:
        """When time alone changes something; None for never."""
        return self._circuits.due_ns()

    def drain_documents(self, errors_too: bool) -> dict[str, Any]:
        """The documents that changed, to be written before the control state is published. The error book is among
        these only now and then, or if `errors_too`."""
        now_ns = self._clock.monotonic_ns()
        documents: dict[str, Any] = {}
        if self._circuits_changed:
            self._circuits_changed = False
            documents[CIRCUITS] = self._circuits.saved(now_ns)
        if self._errors_changed and (errors_too or now_ns >= self._errors_due_ns):
            self._errors_changed = False
            self._errors_due_ns = now_ns + SAVE_ERRORS_NS
            documents[ERRORS] = self._circuits.book.saved()
        return documents

    @property
    def error_book(self) -> ErrorBook:
        """To be read only."""
        return self._circuits.book

    def trader_status(self, trader: str) -> dict[str, Any]:
        """The state of each circuit, and the text of the last error if it is not older than a minute, nor of another
        version of the code, or other settings, than it runs with."""
        errors = self._circuits.book.errors(trader)
        recent = bool(errors) and self._now_ms() - errors[0].last_ms < RECENT_MS
        recent = recent and errors[0].last_ms >= self._renewed_ms.get(trader, 0)
        return {"circuits": self.states(trader), "fault": errors[0].text if recent else ""}

    def states(self, trader: str) -> dict[str, str]:
        """Circuit -> state."""
        pair = self._circuits.pair(trader)
        return {kind: pair[kind].state if pair else "closed" for kind in ("tracking", "plugin")}

    def summaries(self) -> list[dict[str, Any]]:
        """Every circuit that ever counted a failure, by trader."""
        now_ns = self._clock.monotonic_ns()
        return [
            {"trader": trader, "circuit": kind, **circuit.summary(now_ns)}
            for trader in sorted(self._circuits.traders())
            for kind, circuit in self._circuits.pair(trader).items()
        ]

    def _record_transition(self, trader: str, circuit: Circuit, transition: Transition, reason: str) -> None:
        reason = reason or _REASONS.get((circuit.kind, transition.after), "")
        self._circuits_changed = True
        key = (trader, circuit.kind, transition.after)
        self.transitions[key] = self.transitions.get(key, 0) + 1
        self._notices.add(f"{circuit.kind} circuit", transition.before, transition.after, reason, trader)
        log = self._log.info if transition.after == "closed" else self._log.warning
        log(f"{circuit.kind} circuit", trader=trader, before=transition.before, after=transition.after, reason=reason)
        if transition.before == "closed":
            self._opened(trader, f"{circuit.kind} circuit of trader {trader!r} opened")

    def _count_clean_cycles(self, trader: str, incarnation: int, cycles: int, now_ns: int) -> int:
        """Count the cycles that were clean since the last message of this trader; gives how many, 0 for a trader
        without circuits."""
        known_incarnation, known_cycles = self._clean_cycles.get(trader, (incarnation, 0))
        if incarnation < known_incarnation:
            return 0
        clean = cycles - known_cycles if incarnation == known_incarnation else cycles
        if clean <= 0 and incarnation == known_incarnation:
            return 0
        self._clean_cycles[trader] = (incarnation, cycles)
        for _ in range(min(clean, self._limits.clean_cycles)):
            self._circuits.succeeded(now_ns, trader)
        return clean if self._circuits.pair(trader) else 0

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // NS_PER_MS

    def _restore(self, record_store: RecordStore) -> None:
        try:
            circuits, errors = record_store.document(CIRCUITS), record_store.document(ERRORS)
            if circuits is not None:
                self._circuits.restore(circuits, self._clock.monotonic_ns())
            if errors is not None:
                self._circuits.book = ErrorBook.of_saved(errors)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:  # another version wrote them
            self._log.warning("what was saved of the circuits cannot be used", reason=damage_in_words(error))
