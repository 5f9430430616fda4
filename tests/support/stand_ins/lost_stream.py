"""A text stream that takes nothing: its terminal is gone, or its disk is full."""

import io
import os
from pathlib import Path


class LostStream(io.StringIO):
    """Every write, or every flush where `at` says so, fails with the error `number`. It has a descriptor of its own."""

    def __init__(self, number: int, at: str = "write") -> None:
        super().__init__()
        self._number, self._at = number, at
        self._descriptor = os.open(Path(os.devnull), os.O_WRONLY)

    def write(self, text: str) -> int:
        self._fail("write")
        return super().write(text)

    def flush(self) -> None:
        self._fail("flush")

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if not self.closed:  # once: the number may be another file's then
            os.close(self._descriptor)
        super().close()

    def _fail(self, what: str) -> None:
        if what == self._at:
            raise OSError(self._number, os.strerror(self._number))
