"""Keys out of bytes, however they are cut."""

import pytest

from tickflag.services.cli.top.keyboard import Keyboard

TYPED = "q/é\x1b[A\x1bOB\x1b[6~\x1b[1;5C\r\x7f\x1b[H\x01\x1bx"
KEYS = ["q", "/", "é", "up", "down", "pgdn", "enter", "backspace", "home", "esc", "x"]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_keys_in_pieces(size: int) -> None:
    """Names of keys and characters; keys without a meaning are dropped."""
    keyboard, data = Keyboard(), TYPED.encode()
    found = [key for at in range(0, len(data), size) for key in keyboard.take(data[at : at + size])]
    assert (found, keyboard.pending) == (KEYS, False)


@pytest.mark.parametrize("begun", ["\x1b", "\x1b[", "\x1bO"])
def test_escape(begun: str) -> None:
    """The key Escape begins as others do: it is known once nothing follows."""
    keyboard = Keyboard()
    assert (keyboard.take(begun.encode()), keyboard.pending) == ([], True)
    assert (keyboard.flush(), keyboard.pending, keyboard.flush()) == (["esc"], False, [])
