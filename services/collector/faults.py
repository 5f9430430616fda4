"""ErrorBook: the same error is kept once, with how often, when first and when last, and a stack."""

from dataclasses import asdict, dataclass
from typing import Any, Self

KEEP = 500
STACK_CHARACTERS = 8_000


@dataclass(slots=True)
class Fault:
    """One error. `kind` is what it was noticed by: `raise`, `deadline`, `gap` and so on."""

    trader: str
    kind: str
    text: str
    count: int
    first_ms: int
    """UTC, as the other time."""
    last_ms: int
    stack: str = ""
    """Of the first time that one came with it; its end, where it is long."""


class ErrorBook:
    """Bounded: a new error takes the place of the one that was silent for longest. Pure; one thread."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._faults: dict[tuple[str, str, str], Fault] = {}  # the one that came last is last
        self.forgotten = 0
        """Errors that had to make room."""

    def note(self, trader: str, kind: str, text: str, time_ms: int, stack: str = "") -> Fault:
        """An error came, once more or for the first time."""
        key = (trader, kind, text)
        fault = self._faults.pop(key, None)
        if fault is None:
            if len(self._faults) >= self._keep:
                del self._faults[next(iter(self._faults))]
                self.forgotten += 1
            fault = Fault(trader, kind, text, 0, time_ms, time_ms)
        fault.count += 1
        fault.last_ms = time_ms
        fault.stack = fault.stack or stack[-STACK_CHARACTERS:]
        self._faults[key] = fault
        return fault

    def faults(self, trader: str | None = None) -> list[Fault]:
        """All, or one trader's, the one that came last first."""
        return [fault for fault in reversed(self._faults.values()) if trader in (None, fault.trader)]

    def forget(self, trader: str) -> None:
        """A trader is gone."""
        self._faults = {key: fault for key, fault in self._faults.items() if fault.trader != trader}

    def saved(self) -> dict[str, Any]:
        """Plain values, for `of_saved`; the error that came last is last."""
        return {"faults": [asdict(fault) for fault in self._faults.values()], "forgotten": self.forgotten}

    @classmethod
    def of_saved(cls, saved: dict[str, Any], keep: int = KEEP) -> Self:
        """The book that `saved` described; of more than `keep` errors the last ones."""
        book = cls(keep)
        faults = [Fault(**fields) for fields in saved["faults"]][-keep:]
        book._faults = {(fault.trader, fault.kind, fault.text): fault for fault in faults}
        book.forgotten = int(saved["forgotten"])
        return book
