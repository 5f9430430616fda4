"""Output: what a worker process writes, from a pipe into its log file, which never gets longer than allowed."""

import contextlib
import os
import re
from multiprocessing.connection import Connection
from pathlib import Path

AT_ONCE = 1 << 16
MOST_A_TURN = 1 << 20  # a flood must not keep the supervisor from everything else
TAIL_BYTES = 1 << 14  # kept of it, to tell how the process ended
COMPLAINT_LIMIT = 1_000  # characters
ENDING_CHARACTERS = 4_000
FRAMES = 3
CUT = b"... (cut: longer than `trader.log_limit_bytes`)\n"

_FRAME = re.compile(r'^ +File "(.+)", line (\d+) in (.+)$', re.MULTILINE)
_OURS = f"{Path(__file__).parent}{os.sep}"  # what calls the trader's code
_TRACEBACK = "Traceback (most recent call last):"


class Output:
    """Drains the pipe's end `ours`, which it owns. A worker that writes faster than this waits for it.

    Several may write to one file.
    """

    def __init__(self, ours: Connection, log_path: Path, limit_bytes: int) -> None:
        self._ours: Connection | None = ours
        os.set_blocking(ours.fileno(), False)
        self._limit = limit_bytes
        self._tail = b""
        self._log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def descriptors(self) -> list[int]:
        """Readable when something was written."""
        return [self._ours.fileno()] if self._ours is not None else []

    def drain(self) -> None:
        """Take what was written."""
        taken = 0
        while self._ours is not None and taken < MOST_A_TURN:
            try:
                found = os.read(self._ours.fileno(), AT_ONCE)
            except BlockingIOError:
                return
            if not found:
                self._ours.close()
                self._ours = None
                return
            taken += len(found)
            self._tail = (self._tail + found)[-TAIL_BYTES:]
            with contextlib.suppress(OSError):  # no space: a log is not worth more
                self._write(found)

    def _write(self, found: bytes) -> None:
        if os.fstat(self._log).st_size + len(found) > self._limit:
            os.ftruncate(self._log, 0)  # it is opened for appending, so the next byte stands at 0
            os.write(self._log, CUT)
            found = found[-(self._limit - len(CUT)) :]
        os.write(self._log, found)

    def close(self) -> None:
        """Take the rest. It is not used afterwards, but for how it ended."""
        self.drain()
        if self._ours is not None:  # a child of the process may still hold it
            self._ours.close()
            self._ours = None
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def place(self) -> str:
        """Where in the code a fatal signal came, innermost first, as far as it is the trader's; empty for nowhere."""
        _, found, stack = self._text().rpartition("Current thread")
        places: list[str] = []
        for file, line, function in _FRAME.findall(stack.split("\n\n")[0]) if found else ():
            if file.startswith(_OURS) or len(places) == FRAMES:
                break
            places.append(f"{Path(file).name} line {line} in {function}")
        return ", from ".join(places)

    def complaint(self) -> str:
        """The last line of what Python wrote of an exception that ended the process; empty where there was none."""
        _, found, trace = self._text().rpartition(_TRACEBACK)
        return trace.strip().rpartition("\n")[2][:COMPLAINT_LIMIT] if found else ""

    def ending(self) -> str:
        """The last that was written, of what was drained."""
        return self._text()[-ENDING_CHARACTERS:]

    def _text(self) -> str:
        return self._tail.decode(errors="replace")
