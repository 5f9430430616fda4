"""LineWriter: writes the lines of the engine in a thread of its own, so that a terminal that stands still holds up
nobody."""

import errno
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

WAITING_LINES = 10_000
CLOSE_WITHIN_S = 0.5  # for what still waits at the end
LOG_LIMIT_BYTES = 64_000_000


class LineWriter:
    """`write` never blocks and never fails. Lines beyond the `WAITING_LINES` that wait are left out; a line says so.

    `error` is why nothing can be written any more, None where all is well.
    """

    def __init__(self, put: Callable[[bytes], None], encoding: str = "utf-8") -> None:
        self.error: OSError | None = None
        self._put, self._encoding = put, encoding
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._left_out = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        if self._left_out and self._try(f"({self._left_out:,} lines were left out: they came faster than read)"):
            self._left_out = 0
        if not self._try(line):
            self._left_out += 1

    def close(self) -> None:
        """Write what waits, as far as that goes within half a second."""
        self._try(None)
        self._thread.join(CLOSE_WITHIN_S)

    def _try(self, line: str | None) -> bool:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._put(f"{line}\n".encode(self._encoding, "backslashreplace"))
            except OSError as error:
                self.error = error
                return


def to_descriptor(descriptor: int) -> Callable[[bytes], None]:
    """Puts bytes into a descriptor; raises OSError where that takes no more."""

    def put(data: bytes) -> None:
        while data:
            data = data[os.write(descriptor, data) :]

    return put


class LogFile:
    """A log file: a call appends to it. Beyond `LOG_LIMIT_BYTES` it is put aside as `FILE.1`, and begun anew.

    Lines for which the disk has no room are dropped: a log is not worth a failure. Raises OSError where the file cannot
    be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    def __call__(self, data: bytes) -> None:
        try:
            if os.fstat(self._descriptor).st_size + len(data) > LOG_LIMIT_BYTES:
                os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
                os.close(self._descriptor)
                self._open()
            to_descriptor(self._descriptor)(data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
