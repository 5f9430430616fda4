"""Keyboard: keys out of the bytes that a terminal sends."""

import codecs

_SEQUENCES = {
    "[A": "up", "[B": "down", "[C": "right", "[D": "left", "OA": "up", "OB": "down", "OC": "right", "OD": "left",
    "[H": "home", "[F": "end", "OH": "home", "OF": "end", "[1~": "home", "[4~": "end", "[7~": "home", "[8~": "end",
    "[5~": "pgup", "[6~": "pgdn",
}  # fmt: skip
_CONTROLS = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace", "\x03": "q", "\x04": "q"}
_ESCAPE = "\x1b"


class Keyboard:
    """A key may come in several pieces. Keys without a meaning are dropped."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._rest = ""

    @property
    def pending(self) -> bool:
        """Whether a key has begun: where no more comes soon, it was the key Escape."""
        return bool(self._rest)

    def take(self, data: bytes) -> list[str]:
        """The keys that are whole now: a character, or a name as `up`, `enter`, `esc`."""
        self._rest += self._decoder.decode(data)
        keys = []
        while self._rest:
            if self._rest[0] != _ESCAPE:
                keys.append(_CONTROLS.get(self._rest[0], self._rest[0]))
                self._rest = self._rest[1:]
                continue
            length = _sequence(self._rest)
            if length is None:
                break
            keys.append(_SEQUENCES.get(self._rest[1:length], "" if length > 1 else "esc"))
            self._rest = self._rest[length:]
        return [key for key in keys if len(key) > 1 or (key.isprintable() and key)]

    def flush(self) -> list[str]:
        """The key that has begun, as nothing more comes."""
        found = ["esc"] if self._rest else []
        self._rest = ""
        return found


def _sequence(text: str) -> int | None:
    """Length of the sequence that the text begins with; 1 for the key Escape before another key, None for one that is
    not whole."""
    if len(text) < 2:
        return None
    if text[1] == "O":
        return 3 if len(text) > 2 else None
    if text[1] != "[":
        return 1
    for at, one in enumerate(text[2:], 2):
        if "@" <= one <= "~":
            return at + 1
    return None
