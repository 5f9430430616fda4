"""FaultLog: writes a trader's faults to its worker's log."""

import sys
import traceback
from datetime import UTC, datetime

STACK_FRAMES = 8
STACK_CHARACTERS = 4_000
STACKS = 100  # in one life: faults whose text differs every time must not flood the log


class FaultLog:
    """Writes a repeated fault as one line, and its stack once. One thread."""

    def __init__(self) -> None:
        self.current = ""
        """The fault that lasts; empty where there is none. The owner of the log clears it."""
        self._stacks: set[str] = set()  # the faults whose stack is in the log

    def write(self, fault: str, cause: BaseException | None = None) -> None:
        """Make `fault` the current one, and log it where it is new; `cause` is what the trader raised."""
        if fault != self.current:
            write_line(fault)
            if cause is not None and fault not in self._stacks and len(self._stacks) < STACKS:
                self._stacks.add(fault)
                sys.stderr.write(stack(cause))
            sys.stderr.flush()
        self.current = fault


def write_line(text: str) -> None:
    """Write one line to the worker's log."""
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")


def stack(cause: BaseException) -> str:
    """Where `cause` was raised, innermost line last, without our own frame that called the plugin.

    The error's text is left out: it may be of any size.
    """
    trace = cause.__traceback__
    try:
        frames = traceback.format_tb(trace.tb_next if trace else None, limit=-STACK_FRAMES)
    except MemoryError:  # the trader has used up the memory
        return ""
    return "".join(frames)[-STACK_CHARACTERS:]
