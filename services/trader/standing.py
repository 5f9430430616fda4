"""Standing: a trader's state as the roster has it, and what recovery wants of it."""

import enum
from typing import Literal, NamedTuple

Wish = Literal["nothing", "quarantine", "return", "fresh start"]


class State(enum.Enum):
    """What the roster says of a trader."""

    RUNNING = "running"
    RESTARTING = "restarting"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    DISABLED = "disabled"
    QUARANTINED = "quarantined"


OFF = (State.STOPPED, State.DISABLED, State.QUARANTINED)
"""It is not meant to run."""


class Ending(NamedTuple):
    """A worker ended, and nobody had asked for it."""

    trader: str
    incarnation: int
    hung: bool
    """It was ended, at its deadline."""
    how: str
    stack: str


class Standing:
    """What the control state says of one trader, turned into what is to be done now. Pure.

    A quarantine has the number of the circuit's opening, so that one that does not count any more is told from the
    next. Fresh starts are counted: what was asked for before anybody listened has been done by the start since.
    """

    def __init__(self) -> None:
        self._opening = 0
        self._pardoned = 0
        self._fresh: int | None = None

    def wish(self, state: State, opening: int, fresh: int) -> Wish:
        """`opening` is the quarantine's, 0 for none; `fresh` how many fresh starts were asked for so far."""
        before, self._fresh = self._fresh, fresh
        if opening and opening != self._pardoned:
            if state in OFF:
                return "nothing"
            self._opening = opening
            return "quarantine"
        if state is State.QUARANTINED:
            return "return"
        return "fresh start" if before is not None and fresh > before and state not in OFF else "nothing"

    def pardon(self) -> None:
        """The quarantine does not count any more: other code is to be tried."""
        self._pardoned = self._opening
