"""The terminal is as before whatever happened, and one that stands still holds up nothing."""

import os

import pytest
from rich.text import Text

from tests.support.processes.screen import ScreenTerminal
from tests.support.processes.waiting import wait_until
from tickflag.services.cli.top.terminal import Terminal, TerminalGone, is_terminal


def terminal_of(screen: ScreenTerminal) -> Terminal:
    return Terminal(screen.slave, screen.slave, "utf-8")


def test_frames_are_drawn() -> None:
    """Lines that did not change are not written again; a full line is whole; another size draws all anew."""
    with ScreenTerminal(10, 3) as screen, terminal_of(screen) as terminal:
        assert terminal.size == (10, 3)
        assert terminal.draw([Text("0123456789", "bold"), Text("two"), Text("three")], terminal.size)
        assert screen.wait_for("three").splitlines() == ["0123456789", "two", "three"]
        written = len(screen.raw)
        terminal.draw([Text("0123456789", "bold"), Text("2"), Text("three")], terminal.size)
        assert screen.wait_for("^2$").splitlines() == ["0123456789", "2", "three"]
        assert "three" not in screen.raw[written:]
        screen.resize(12, 3)
        terminal.draw([Text("new"), Text("2"), Text("three")], terminal.size)
        assert screen.wait_for("new").splitlines() == ["new", "2", "three"]
        terminal.redraw()
        terminal.draw([Text("new"), Text("2"), Text("three")], terminal.size)
        assert screen.wait_for("new").splitlines() == ["new", "2", "three"]


def _drawn_anew(terminal: Terminal) -> bool:
    terminal.redraw()
    return terminal.draw([Text(str(number) * 80) for number in range(10)], (80, 10))


def _fail(screen: ScreenTerminal) -> None:
    with terminal_of(screen) as terminal:
        assert screen.modes != screen.before
        terminal.give_back()
        assert screen.modes == screen.before
        terminal.give_back()
        terminal.take()
        assert screen.modes != screen.before
        raise ZeroDivisionError


def test_an_exception_leaves_the_terminal_as_before() -> None:
    """Modes, cursor and screen, also after it was given back in between."""
    with ScreenTerminal() as screen:
        with pytest.raises(ZeroDivisionError):
            _fail(screen)
        assert screen.modes == screen.before
        assert screen.text.strip() == ""
        assert screen.raw.endswith("\x1b[?1049l")
        assert screen.raw.count("\x1b[?25l") == screen.raw.count("\x1b[?25h") == 2


def test_a_terminal_that_stands_still() -> None:
    """Nobody reads it: frames are left out, and giving it back ends."""
    with ScreenTerminal() as screen:
        with terminal_of(screen) as terminal:
            wait_until(lambda: not _drawn_anew(terminal))
            assert terminal.backlog >= 0
        assert screen.modes == screen.before


def test_a_terminal_that_is_gone() -> None:
    """It is an error that has a name, and the end raises nothing."""
    with ScreenTerminal() as screen:
        keyboard, slave = os.openpty()
        terminal = Terminal(slave, screen.slave, "utf-8")
        with terminal:
            assert terminal.draw([Text("one")], (80, 24))
            os.close(screen._master)
            screen._master = -1
            with pytest.raises(TerminalGone):
                wait_until(lambda: not _drawn_anew(terminal))
        os.close(keyboard)
        assert terminal.read() == b""
        os.close(slave)
        with pytest.raises(TerminalGone), Terminal(slave, screen.slave, "utf-8"):
            pass


def test_what_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, or a terminal that cannot move its cursor."""
    with ScreenTerminal() as screen, open(os.dup(screen.slave), "w") as file:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stdin", file)
        monkeypatch.setattr("sys.stdout", file)
        assert is_terminal()
        monkeypatch.setenv("TERM", "dumb")
        assert not is_terminal()
        monkeypatch.setenv("TERM", "xterm")
        with open(os.devnull) as nothing:
            monkeypatch.setattr("sys.stdin", nothing)
            assert not is_terminal()
