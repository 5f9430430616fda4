"""The progress bar on a terminal, and where there is none."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import pytest

from tests.support.processes.terminal import PseudoTerminal
from tickflag.services.cli.progress import ProgressBar


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells rich about the terminal is the same everywhere."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def _terminal() -> Iterator[PseudoTerminal]:
    """A terminal that is standard error. Begun in the test itself, as pytest takes standard error back before it."""
    with PseudoTerminal() as terminal, redirect_stderr(terminal.file):
        yield terminal


def test_the_bar_moves_by_itself() -> None:
    """The bar asks how much is done, while the block does something else; the end of the block is its end."""
    with _terminal() as terminal:
        done = 0
        with ProgressBar("replay", 200, done=lambda: done):
            terminal.wait_for("replay .* 0%")
            done = 50
            terminal.wait_for(" 25%")
            done = 150
            terminal.wait_for(" 75%")
        assert "100%" in terminal.shown


def test_numbers_beyond_the_bar() -> None:
    """Before the start nothing is done, after the end everything: the bar stays within its ends."""
    with _terminal() as terminal:
        done = -50
        with ProgressBar("replay", 200, done=lambda: done):
            terminal.wait_for(" 0%")
            done = 900
            terminal.wait_for("100%")
        assert "-25%" not in terminal.shown
        assert "450%" not in terminal.shown


def test_a_block_that_fails() -> None:
    """The bar stays where it was."""
    with _terminal() as terminal:
        bar = ProgressBar("replay", 200, done=lambda: 50).__enter__()
        terminal.wait_for(" 25%")
        bar.__exit__(ValueError)
        assert "100%" not in terminal.shown


def test_a_block_that_tells() -> None:
    """Without a function to ask, the block says how far it is."""
    with _terminal() as terminal:
        with ProgressBar("import", 200) as bar:
            bar.reach(50)
            terminal.wait_for("import .* 25%")
        assert "100%" in terminal.shown


def test_nothing_to_do() -> None:
    """A total of 0 is no error."""
    with _terminal() as terminal:
        with ProgressBar("replay", 0, done=lambda: 0):
            pass
        assert "replay" in terminal.shown


def test_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is not wanted, or standard error is no terminal, nothing is shown and nothing is asked."""
    with _terminal() as terminal:
        with ProgressBar("replay", 200, shown=False, done=pytest.fail) as bar:
            bar.reach(7)
        assert terminal.shown == ""
    with ProgressBar("replay", 200, done=pytest.fail) as bar:
        bar.reach(7)
    assert capsys.readouterr() == ("", "")
