"""ScreenTerminal: a terminal with a screen, for programs that draw on it."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from typing import Any, Self

from tests.support.processes.waiting import WITHIN_S, Deadline

_PIECES = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])|([^\x1b]+)")


class ScreenTerminal:
    """Use it in a `with` block. It knows the sequences that `tickflag top` uses, and no wide characters."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self._master, self.slave = os.openpty()
        self.raw = ""
        """All that was written to it."""
        self._read_to = 0
        self._row = self._column = 0
        self._rows: dict[int, str] = {}
        self.resize(columns, rows)
        self.before = self.modes

    def start(self, command: Sequence[str], env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start a program whose terminal this is."""

        def lead() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        return subprocess.Popen(
            command,
            env={**env, "TERM": "xterm-256color"},
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lead,
        )

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.lines = columns, rows
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def modes(self) -> list[Any]:
        """How the terminal treats keys and output."""
        return termios.tcgetattr(self.slave)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """The screen, once it holds this, a regular expression."""
        deadline = Deadline(WITHIN_S)
        while not re.search(pattern, text := self.text, re.MULTILINE):
            if deadline.over():
                raise AssertionError(f"{pattern!r} was not shown within {WITHIN_S:g} s:\n{text}")
            self._read(0.05)
        return text

    @property
    def text(self) -> str:
        """What is on the screen."""
        while self._read(0.0):
            pass
        return "\n".join(self._rows.get(row, "").rstrip() for row in range(self.lines))

    def _read(self, within_s: float) -> bool:
        if not select.select([self._master], [], [], within_s)[0]:
            return False
        try:
            self.raw += os.read(self._master, 65_536).decode(errors="ignore")
        except OSError:  # nobody has it open any more
            return False
        self._draw()
        return True

    def _draw(self) -> None:
        whole = len(self.raw)
        if (begun := re.search(r"\x1b(\[[0-9;?]*)?$", self.raw[self._read_to :])) is not None:
            whole = self._read_to + begun.start()
        for found in _PIECES.finditer(self.raw, self._read_to, whole):
            private, numbers, kind, text = found.groups()
            line = self._rows.get(self._row, "").ljust(self._column)
            if text is not None:
                written = line[: self._column] + text + line[self._column + len(text) :]
                self._rows[self._row] = written[: self.columns]
                self._column += len(text)
            elif kind == "H":
                row, column = [int(one or 1) for one in f"{numbers or '1;1'}".split(";")]
                self._row, self._column = row - 1, column - 1
            elif kind == "J":
                self._rows = {}
            elif kind == "K":
                self._rows[self._row] = line[: self._column]
            elif private and numbers == "1049":
                self._rows = {}
        self._read_to = whole

    def close(self) -> None:
        for descriptor in (self._master, self.slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self.slave = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
