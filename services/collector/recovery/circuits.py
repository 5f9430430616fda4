"""Circuits: every trader's two circuits, what they ask of the trader, and the errors that moved them."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from tickflag.services.collector.recovery.circuit import Circuit, Failure, Kind, Limits, Transition
from tickflag.services.collector.recovery.error_book import ErrorBook

CIRCUIT_OF: dict[str, Kind] = {
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
"""What noticed an error -> the circuit that counts it."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How a trader is to run."""

    process_all: bool = False
    """Its tracking is not trusted: it is to evaluate every symbol in every cycle."""
    worker: Literal["running", "quarantined", "probing"] = "running"
    fresh_starts: int = 0
    """Each time this number grows, the worker is to be started fresh."""


class Circuits:
    """Pure; one thread. Times are monotonic, as in `Circuit`; those in ms are UTC and only shown."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._circuits: dict[str, dict[Kind, Circuit]] = {}
        self.book = ErrorBook()

    def failed(
        self, now_ns: int, trader: str, what: str, failure: Failure, text: str, time_ms: int, stack: str = ""
    ) -> None:
        """Count a failed cycle of a trader; `what` is a key of `CIRCUIT_OF`."""
        self._pair(trader, now_ns)[CIRCUIT_OF[what]].failed(now_ns, failure)
        self.book.add(trader, what, text, time_ms, stack)

    def succeeded(self, now_ns: int, trader: str) -> None:
        """Count a clean cycle of a trader: nothing failed in it that either circuit counts."""
        for circuit in self._circuits.get(trader, {}).values():
            circuit.succeeded(now_ns)

    def release(self, now_ns: int, trader: str) -> None:
        """Close both circuits of a trader, and hold nothing against it."""
        for circuit in self._circuits.get(trader, {}).values():
            circuit.release(now_ns)

    def forget(self, trader: str) -> None:
        """Forget a trader that is gone for good."""
        self._circuits.pop(trader, None)
        self.book.forget(trader)

    def traders(self) -> list[str]:
        """The traders that ever failed."""
        return list(self._circuits)

    def drain_transitions(self, now_ns: int) -> list[tuple[str, Circuit, Transition]]:
        """All transitions since the last call, with trader and circuit, once time has passed up to `now_ns`."""
        transitions = []
        for trader, pair in self._circuits.items():
            for circuit in pair.values():
                circuit.advance(now_ns)
                transitions += [(trader, circuit, one) for one in circuit.drain_transitions()]
        return transitions

    def mode(self, now_ns: int, trader: str) -> Mode:
        """How the trader is to run now."""
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

    def pair(self, trader: str) -> dict[Kind, Circuit]:
        """The two circuits of a trader, to be read only; empty for a trader that never failed."""
        return dict(self._circuits.get(trader, {}))

    def due_ns(self) -> int | None:
        """When a mode may change although no message comes; None for never."""
        due = [circuit.due_ns() for pair in self._circuits.values() for circuit in pair.values()]
        return min((due_ns for due_ns in due if due_ns is not None), default=None)

    def saved(self, now_ns: int) -> dict[str, Any]:
        """All circuits as values that JSON can hold, for `restore`."""
        return {
            trader: {kind: circuit.to_dict(now_ns) for kind, circuit in pair.items()}
            for trader, pair in self._circuits.items()
        }

    def restore(self, saved: dict[str, Any], now_ns: int) -> None:
        """Go on with the circuits that `saved` gave, as if no time had passed since then."""
        self._circuits = {
            trader: {kind: Circuit.from_dict(kind, self._limits, pair[kind], now_ns) for kind in get_args(Kind)}
            for trader, pair in saved.items()
        }

    def _pair(self, trader: str, now_ns: int) -> dict[Kind, Circuit]:
        pair = self._circuits.get(trader)
        if pair is None:
            pair = self._circuits[trader] = {kind: Circuit(kind, self._limits, now_ns) for kind in get_args(Kind)}
        return pair
