"""A terminal without a screen: what is written to it can be read."""

import os
import re
import select
from typing import Self, TextIO

from tests.support.processes.waiting import WITHIN_S, Deadline


class PseudoTerminal:
    """Use it in a `with` block. Write to `file`, a terminal; a process gets its descriptor."""

    def __init__(self) -> None:
        self._reader, writer = os.openpty()
        self.file: TextIO = os.fdopen(writer, "w")
        self._seen = ""

    def wait_for(self, pattern: str) -> None:
        """Wait until a line of the terminal has held this, a regular expression, without colours and the like."""
        deadline = Deadline(WITHIN_S)
        while not re.search(pattern, self._text()):
            if deadline.over():
                raise AssertionError(f"{pattern!r} was not shown within {WITHIN_S:g} s: {self._seen[-2_000:]!r}")
            self._read(0.1)

    @property
    def shown(self) -> str:
        """All that was shown until now, without colours and the like."""
        while self._read(0.0):
            pass
        return self._text()

    def _text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._seen)

    def _read(self, within_s: float) -> bool:
        if not select.select([self._reader], [], [], within_s)[0]:
            return False
        try:
            self._seen += os.read(self._reader, 65_536).decode(errors="replace")
        except OSError:  # so Linux tells that nobody has the terminal open any more
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.file.close()
        os.close(self._reader)
