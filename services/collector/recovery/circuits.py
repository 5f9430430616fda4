"""Recovery: what each trader's two circuits say, and the errors that moved them."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from services.collector.circuit import Circuit, Failure, Kind, Limits, Transition
from services.collector.faults import ErrorBook

KIND_OF: dict[str, Kind] = {
    "segment": "tracking",
    "flags": "tracking",
    "gap": "tracking",
    "audit": "tracking",
    "buffer": "tracking",
    "raise": "plugin",
    "deadline": "plugin",
    "exit": "plugin",
    "dependence": "plugin",
}
"""What an error was noticed by -> its class."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What a trader is to do."""

    process_all: bool = False
    """Tracking is not trusted: evaluate every symbol in every cycle."""
    worker: Literal["running", "quarantined", "probing"] = "running"
    fresh_starts: int = 0
    """Where it grows, the worker is to be started fresh."""


class Recovery:
    """Pure; one thread. Times as in `circuit`: monotonic, except those in ms, which are UTC and only shown."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._circuits: dict[str, dict[Kind, Circuit]] = {}
        self.book = ErrorBook()

    def failed(
        self, now_ns: int, trader: str, what: str, failure: Failure, text: str, time_ms: int, stack: str = ""
    ) -> None:
        """A cycle of a trader failed; `what` is a key of `KIND_OF`."""
        self._of(trader, now_ns)[KIND_OF[what]].failed(now_ns, failure)
        self.book.note(trader, what, text, time_ms, stack)

    def succeeded(self, now_ns: int, trader: str) -> None:
        """A cycle of a trader was clean: a cycle that failed in either class is not."""
        for circuit in self._circuits.get(trader, {}).values():
            circuit.succeeded(now_ns)

    def release(self, now_ns: int, trader: str) -> None:
        """An operator closes both circuits of a trader."""
        for circuit in self._circuits.get(trader, {}).values():
            circuit.release(now_ns)

    def forget(self, trader: str) -> None:
        """A trader is gone for good."""
        self._circuits.pop(trader, None)
        self.book.forget(trader)

    def traders(self) -> list[str]:
        """Those that ever failed."""
        return list(self._circuits)

    def advance(self, now_ns: int) -> list[tuple[str, Circuit, Transition]]:
        """Let time pass; gives all changes of state since the last call."""
        told = []
        for trader, pair in self._circuits.items():
            for circuit in pair.values():
                circuit.advance(now_ns)
                told += [(trader, circuit, step) for step in circuit.take_transitions()]
        return told

    def mode(self, now_ns: int, trader: str) -> Mode:
        """What the trader is to do now."""
        circuits = self._circuits.get(trader)
        if circuits is None:
            return Mode()
        for circuit in circuits.values():
            circuit.advance(now_ns)
        plugin = circuits["plugin"]
        worker: Literal["running", "quarantined", "probing"] = "running"
        if plugin.state != "closed":
            worker = "quarantined" if plugin.state == "open" else "probing"
        return Mode(circuits["tracking"].state != "closed", worker, plugin.fresh_starts)

    def circuits(self, trader: str) -> dict[Kind, Circuit]:
        """By class, to be looked at; empty for a trader that never failed."""
        return dict(self._circuits.get(trader, {}))

    def due_ns(self) -> int | None:
        """When some mode may change if nothing comes any more; None for never."""
        due = [circuit.due_ns() for pair in self._circuits.values() for circuit in pair.values()]
        return min((due_ns for due_ns in due if due_ns is not None), default=None)

    def saved(self, now_ns: int) -> dict[str, Any]:
        """All circuits as plain values, for `restore`."""
        return {
            trader: {kind: circuit.to_dict(now_ns) for kind, circuit in pair.items()}
            for trader, pair in self._circuits.items()
        }

    def restore(self, saved: dict[str, Any], now_ns: int) -> None:
        """Go on with the circuits that `saved` described, as if no time had passed since."""
        self._circuits = {
            trader: {kind: Circuit.from_dict(kind, self._limits, pair[kind], now_ns) for kind in get_args(Kind)}
            for trader, pair in saved.items()
        }

    def _of(self, trader: str, now_ns: int) -> dict[Kind, Circuit]:
        known = self._circuits.get(trader)
        if known is None:
            known = {kind: Circuit(kind, self._limits, now_ns) for kind in get_args(Kind)}
            self._circuits[trader] = known
        return known
