"""`tickflag top`: the engine in the terminal, live; without a terminal one frame."""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import click
import zmq

from tickflag.common import settings as configuration
from tickflag.common.errors import TickflagError
from tickflag.common.lifecycle import Stop
from tickflag.common.settings import Settings
from tickflag.services.cli.top.engine_watch import EVERY_S, EngineWatch
from tickflag.services.cli.top.frame import Frame, frame, paper
from tickflag.services.cli.top.keyboard import Keyboard
from tickflag.services.cli.top.lettering import lettering
from tickflag.services.cli.top.terminal import Terminal, TerminalGone, is_terminal, soon_ms
from tickflag.services.cli.top.view_state import ViewState, arranged, pressed

PATIENCE_S = 4.0
"""So long one frame waits for all parts."""
PAPER_WIDTH = 120
ESCAPE_S = 0.05
"""So long the rest of a key may take."""
_FASTEST_S, _SLOWEST_S = 0.2, 0.5
"""Between two frames, unless a key was pressed: many signals cost little, and the clock runs."""


@click.command()
@click.option("--once", is_flag=True, help="Print one frame as text, and end.")
def top(once: bool) -> None:
    """Show the engine live in the terminal: figures, problems, traders, the latest signals. `?` shows the keys.

    Without a terminal it prints one frame as text.
    """
    settings = configuration.load()
    if once or not is_terminal():
        _print_once(settings)
    else:
        _LiveView(settings).run()


def _print_once(settings: Settings) -> None:
    """Raises TickflagError where nothing runs, or the other machine does not answer."""
    with contextlib.closing(EngineWatch(settings)) as watch:
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < PATIENCE_S:
            watch.step()
            if watch.whole and (not watch.runs or passed_s > 1.5 * EVERY_S):  # rates need two looks
                break
            poller = zmq.Poller()
            for socket in watch.sockets:
                poller.register(socket, zmq.POLLIN)
            poller.poll(soon_ms(min(watch.idle_s(), ESCAPE_S)))
        if not watch.runs:
            nothing = f"nothing is running for instance {settings.instance!r} (start it with `tickflag start`)"
            raise TickflagError(watch.refusal if settings.remote.connect and watch.refusal else nothing)
        width = shutil.get_terminal_size((PAPER_WIDTH, 0)).columns
        for line in paper(watch.reading(), width, lettering(sys.stdout.encoding)):
            click.echo(line.plain.rstrip())


class _LiveView:
    """One thread: the engine is asked, keys are read and frames are drawn in turns, and nothing waits for another."""

    def __init__(self, settings: Settings) -> None:
        self._watch = EngineWatch(settings)
        self._letters = lettering(sys.stdout.encoding)
        self._keyboard = Keyboard()
        self._state = ViewState()
        self._frame = Frame([], 10)
        self._suspend = self._resumed = False
        self._size, self._draw_due_s = (0, 0), 0.0

    def run(self) -> None:
        """Until `q`, a signal, or the end of the terminal."""
        with (
            contextlib.closing(self._watch),
            Stop() as stop,
            self._signals(),
            contextlib.suppress(TerminalGone),
            Terminal(sys.stdin.fileno(), sys.stdout.fileno(), self._letters.encoding) as terminal,
        ):
            while not stop.requested and not self._state.over:
                self._turn(terminal)
                self._wait(terminal, stop)

    def _turn(self, terminal: Terminal) -> None:
        if self._suspend:
            self._suspend = False
            terminal.give_back()
            _stop_here()
            terminal.take()
            self._draw_due_s = 0.0
        elif self._resumed:  # it was stopped without a word, and the shell has used the terminal
            terminal.redraw()
            self._draw_due_s = 0.0
        self._resumed = False
        detail = self._state.chosen if self._state.page == "trader" else ""
        self._watch.step(detail)
        terminal.write()
        size = terminal.size
        if size == self._size and time.monotonic() < self._draw_due_s:
            return
        self._size, self._draw_due_s = size, time.monotonic() + _FASTEST_S
        self._frame = frame(self._watch.reading(detail), self._state, *size, self._letters)
        terminal.draw(self._frame.lines, size)

    def _wait(self, terminal: Terminal, stop: Stop) -> None:
        """Until something is due, an answer or a key has come, or the size has changed."""
        poller = zmq.Poller()
        poller.register(stop.fileno(), zmq.POLLIN)
        poller.register(terminal.keys, zmq.POLLIN)
        if terminal.backlog >= 0:
            poller.register(terminal.backlog, zmq.POLLOUT)
        for socket in self._watch.sockets:
            poller.register(socket, zmq.POLLIN)
        within_s = ESCAPE_S if self._keyboard.pending else min(self._watch.idle_s(), _SLOWEST_S)
        ready: dict[Any, int] = dict(poller.poll(soon_ms(within_s)))
        if terminal.keys in ready:
            typed = terminal.read()
            if not typed:
                stop.request("the keyboard is gone")
            self._press(self._keyboard.take(typed))
        elif self._keyboard.pending:
            self._press(self._keyboard.flush())

    def _press(self, keys: list[str]) -> None:
        if not keys:
            return
        self._draw_due_s = 0.0
        traders = self._watch.reading().traders
        for key in keys:
            shown = arranged(traders, self._state)
            self._state = pressed(self._state, key, shown, self._frame.page_rows, self._frame.most_scroll)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Handlers that only note what came: `Stop` makes the wait end."""

        def note(number: int, _frame: object) -> None:
            self._suspend |= number == signal.SIGTSTP
            self._resumed |= number == signal.SIGCONT

        former = {one: signal.signal(one, note) for one in (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def _stop_here() -> None:
    """Stop as Ctrl-Z does, until the shell continues us."""
    former = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, former)
