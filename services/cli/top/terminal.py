"""Terminal: a terminal whose keys come at once, and on whose screen frames are drawn; afterwards it is as before.

Frames are written without waiting: a terminal that stands still holds up nothing, and gets the newest frame later.
"""

import contextlib
import errno
import os
import select
import sys
import termios
import time
import tty
from io import StringIO
from typing import Any, Self

from rich.console import Console
from rich.text import Text

from tickflag.common.units import MS_PER_S


class TerminalGone(Exception):  # noqa: N818 - reads as the state it reports
    """Nothing can be written to the terminal, or read from it, any more."""


RESTORE_S = 0.3
"""So long the last bytes wait for a terminal that stands still."""
_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[?7l"  # another screen, without cursor, long lines are not wrapped
_END = "\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"
_CLEAR = "\x1b[H\x1b[2J"


def is_terminal() -> bool:
    """Whether keys and output are those of a terminal that can move its cursor."""
    plain = os.environ.get("TERM", "") in ("", "dumb", "unknown")
    return not plain and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


class Terminal:
    """Use it in a `with` block, in one thread. Nobody else may write to standard output inside it."""

    def __init__(self, keys: int, screen: int, encoding: str) -> None:
        """`keys` and `screen` are the descriptors of its keyboard and its output."""
        self._keys, self._screen, self._encoding = keys, screen, encoding
        self._modes: list[Any] | None = None
        self._unwritten = b""
        self._shown: list[str] = []
        self._size = (0, 0)
        self._own = -1

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.give_back()

    def take(self) -> None:
        """Take the terminal, for the first time or after it was given back. Raises TerminalGone."""
        try:
            modes = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys, termios.TCSANOW)  # Ctrl-C and Ctrl-Z stay signals
        except termios.error as error:
            raise TerminalGone from error
        self._modes = modes
        # A description of our own: to write without waiting must not become a trait of the shell's output.
        with contextlib.suppress(OSError):
            self._own = os.open(os.ttyname(self._screen), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        self._shown, self._unwritten = [], _BEGIN.encode()
        self.write()

    def give_back(self) -> None:
        """Make it what it was, as far as it is still there."""
        if self._modes is None:
            return
        with contextlib.suppress(TerminalGone, OSError):
            self._unwritten = _END.encode()  # after an unfinished frame, whose rest is not wanted
            deadline = time.monotonic() + RESTORE_S
            while self._unwritten and time.monotonic() < deadline:
                self.write()
                if self._unwritten:
                    select.select([], [self._descriptor], [], max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._keys, termios.TCSANOW, self._modes)  # without waiting for the output
        self._modes = None
        if self._own >= 0:
            os.close(self._own)
            self._own = -1

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows now."""
        try:
            found = os.get_terminal_size(self._screen)
        except OSError:
            return 80, 24
        return found.columns or 80, found.lines or 24

    @property
    def keys(self) -> int:
        """The descriptor that is readable when a key was pressed."""
        return self._keys

    @property
    def backlog(self) -> int:
        """The descriptor to wait for until it can be written to; -1 where nothing waits."""
        return self._descriptor if self._unwritten else -1

    def read(self) -> bytes:
        """What was typed; empty where the keyboard is gone."""
        try:
            return os.read(self._keys, 1_024)
        except OSError:
            return b""

    def redraw(self) -> None:
        """Draw the next frame whole."""
        self._shown = []

    def draw(self, lines: list[Text], size: tuple[int, int]) -> bool:
        """Show a frame: those of its lines that are others than before. Gives False where an earlier frame is not yet
        written, so that this one is left out. Raises TerminalGone."""
        self.write()
        if self._unwritten:
            return False
        written = [rendered(line, size[0]) for line in lines]
        whole = not self._shown or size != self._size
        pieces = [_CLEAR] if whole else []
        before = [] if whole else self._shown
        for row, line in enumerate(written):
            if row >= len(before) or before[row] != line:
                # Behind a full line the cursor stands on its last character.
                rest = "" if lines[row].cell_len >= size[0] else "\x1b[K"
                pieces.append(f"\x1b[{row + 1};1H\x1b[0m{line}\x1b[0m{rest}")
        self._shown, self._size = written, size
        self._unwritten = "".join(pieces).encode(self._encoding, "backslashreplace")
        self.write()
        return True

    def write(self) -> None:
        """Write what can be written now. Raises TerminalGone."""
        while self._unwritten:
            try:
                done = os.write(self._descriptor, self._unwritten)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EINTR):
                    return
                raise TerminalGone from error
            self._unwritten = self._unwritten[done:]

    @property
    def _descriptor(self) -> int:
        return self._own if self._own >= 0 else self._screen


def rendered(line: Text, width: int) -> str:
    """The line with its colours as the terminal wants them."""
    console = _console(width)
    with console.capture() as captured:
        console.print(line, end="", no_wrap=True, overflow="crop", crop=True, highlight=False)
    return captured.get()


def _console(width: int, _made: dict[int, Console] = {}) -> Console:  # noqa: B006 - one for each width
    if width not in _made:
        _made.clear()
        _made[width] = Console(file=StringIO(), force_terminal=True, width=width, height=10, markup=False)
    return _made[width]


def soon_ms(seconds: float) -> int:
    """For a poll: at least so many milliseconds."""
    return int(max(0.0, seconds) * MS_PER_S) + 1
