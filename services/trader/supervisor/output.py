"""Output: copies what a worker process writes from a pipe to a log file, which never grows beyond its limit."""

import contextlib
import os
import re
from multiprocessing.connection import Connection
from pathlib import Path

AT_ONCE = 1 << 16
MOST_A_TURN = 1 << 20  # bytes: a flood of output must not keep the supervisor from everything else
TAIL_BYTES = 1 << 14  # the end of the output that is kept, to tell how the process ended
EXCEPTION_CHARACTERS = 1_000
TAIL_CHARACTERS = 4_000
FRAMES = 3
CUT = b"... (cut: longer than `trader.log_limit_bytes`)\n"

_FRAME = re.compile(r'^ +File "(.+)", line (\d+) in (.+)$', re.MULTILINE)
_OURS = f"{Path(__file__).parents[1]}{os.sep}"  # the code that calls the trader's
_TRACEBACK = "Traceback (most recent call last):"


class Output:
    """Drains the pipe's end `ours`, and closes it. A worker that writes faster than this drains has to wait.

    Several outputs may write to one file.
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
        """Read what the process wrote, and log it."""
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
            with contextlib.suppress(OSError):  # no space: a log is not worth a failure
                self._write(found)

    def _write(self, found: bytes) -> None:
        if os.fstat(self._log).st_size + len(found) > self._limit:
            os.ftruncate(self._log, 0)  # the file is opened for appending, so the next byte goes to 0
            os.write(self._log, CUT)
            found = found[-(self._limit - len(CUT)) :]
        os.write(self._log, found)

    def close(self) -> None:
        """Drain the rest, and release pipe and file. The end of the output can still be asked for."""
        self.drain()
        if self._ours is not None:  # a child of the process may still hold the other end
            self._ours.close()
            self._ours = None
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def crash_site(self) -> str:
        """Where in the trader's code a fatal signal hit, innermost line first; empty where none did."""
        _, found, stack = self._text().rpartition("Current thread")
        sites: list[str] = []
        for file, line, function in _FRAME.findall(stack.split("\n\n")[0]) if found else ():
            if file.startswith(_OURS) or len(sites) == FRAMES:
                break
            sites.append(f"{Path(file).name} line {line} in {function}")
        return ", from ".join(sites)

    def last_exception(self) -> str:
        """The last line of the last traceback, which names the exception; empty where there is no traceback."""
        _, found, trace = self._text().rpartition(_TRACEBACK)
        return trace.strip().rpartition("\n")[2][:EXCEPTION_CHARACTERS] if found else ""

    def tail(self) -> str:
        """The end of what was drained."""
        return self._text()[-TAIL_CHARACTERS:]

    def _text(self) -> str:
        return self._tail.decode(errors="replace")
