"""ErrorBook: every error once, with its count, its first and last time, and a stack.

Errors whose texts differ only in figures, as sizes and addresses, are the same error. A figure that says which error it
is, as a line or an exit code, tells two errors apart; so does one that is part of a name.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any, Self

KEEP = 500
STACK_CHARACTERS = 8_000
_FIGURE = re.compile(
    r"""
    (?P<telling>\b(?:line|code|status|signal|errno|error|exit|HTTP)\s+|:)?  # a figure that follows says which error
    (?<![\w.])
    (?:0x[0-9a-f]+ | [-+]?\d[\d,_]*(?:\.\d*)?(?:e[-+]?\d+)?)
    (?:\s?(?:[kMGTPE]i?)?B\b | \s?bytes?\b)?  # the unit grows with the figure
    (?!\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(slots=True)
class KnownError:
    """One error, however often it came. `kind` is what noticed it: `raise`, `deadline`, `gap` and so on."""

    trader: str
    kind: str
    text: str
    """As it was the last time."""
    count: int
    first_ms: int
    """When it came first, in UTC."""
    last_ms: int
    """When it came last, in UTC."""
    stack: str = ""
    """The end of the first stack that came with it; empty where none did."""


class ErrorBook:
    """Holds at most `keep` errors: a new one replaces the one whose last time is the oldest. Pure; one thread."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._errors: dict[tuple[str, str, str], KnownError] = {}  # in the order of their last times
        self.forgotten = 0
        """How many errors were replaced."""

    def add(self, trader: str, kind: str, text: str, time_ms: int, stack: str = "") -> KnownError:
        """The error as it is known now that it came, again or for the first time."""
        key = (trader, kind, _shape(text))
        error = self._errors.pop(key, None)
        if error is None:
            if len(self._errors) >= self._keep:
                del self._errors[next(iter(self._errors))]
                self.forgotten += 1
            error = KnownError(trader, kind, text, 0, time_ms, time_ms)
        error.text = text
        error.count += 1
        error.last_ms = time_ms
        error.stack = error.stack or stack[-STACK_CHARACTERS:]
        self._errors[key] = error
        return error

    def errors(self, trader: str | None = None) -> list[KnownError]:
        """All errors, or those of one trader, the latest first."""
        return [error for error in reversed(self._errors.values()) if trader in (None, error.trader)]

    def forget(self, trader: str) -> None:
        """Drop the errors of a trader that is gone."""
        self._errors = {key: error for key, error in self._errors.items() if error.trader != trader}

    def saved(self) -> dict[str, Any]:
        """The book as values that JSON can hold, for `of_saved`."""
        return {"faults": [asdict(error) for error in self._errors.values()], "forgotten": self.forgotten}

    @classmethod
    def of_saved(cls, saved: dict[str, Any], keep: int = KEEP) -> Self:
        """The book that `saved` gave; of more than `keep` errors, those that came last."""
        book = cls(keep)
        errors = [KnownError(**fields) for fields in saved["faults"]][-keep:]
        book._errors = {(error.trader, error.kind, _shape(error.text)): error for error in errors}
        book.forgotten = int(saved["forgotten"])
        return book


def _shape(text: str) -> str:
    """The text without the figures that may differ between two times of one error."""
    return _FIGURE.sub(lambda found: found[0] if found["telling"] else "#", text)
