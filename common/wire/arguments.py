"""Arguments: the arguments of one request, checked in the same way by every service."""

from collections.abc import Callable
from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.common.units import LARGEST_INT64

DEEPEST = 8  # lists and maps within one another


class Arguments:
    """Gives each argument once and with the right type, then `end` refuses whatever is left.

    Every method raises TickflagError naming the argument at fault.
    """

    def __init__(self, what: str, values: dict[str, Any], key: str = "") -> None:
        """`values` holds the arguments of the request `what`, and is not changed."""
        self.key = key
        """Name of the key that the request came with from another machine; empty for a request of this machine."""
        self._what = what
        self._values = dict(values)

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required where there is no default."""
        self._require(name, default)
        value = self._values.pop(name, default)
        if not isinstance(value, str):
            raise TickflagError(f"argument {name!r} of {self._what!r} must be a text, not {type(value).__name__}")
        return value

    def who(self) -> str:
        """The name that the client states, followed by the key where the request came with one: a client can lie about
        its name, not about its key."""
        who = self.text("who", "unknown")
        if not who.isprintable():
            raise TickflagError("argument 'who' must have printable characters only")
        return f"{who} (key {self.key})" if self.key else who

    def switch(self, name: str, default: bool | None = None) -> bool:
        """True or false; required where there is no default."""
        self._require(name, default)
        value = self._values.pop(name, default)
        if not isinstance(value, bool):
            raise TickflagError(f"argument {name!r} of {self._what!r} must be true or false")
        return value

    def anything(self, name: str) -> Any:
        """Any value that JSON can hold, for the caller to check further; None where the argument is not given."""
        value = self._values.pop(name, None)
        if not _is_json(value, DEEPEST):
            raise TickflagError(f"argument {name!r} of {self._what!r} must hold texts, numbers, lists and maps only")
        return value

    def number(self, name: str, default: int | None, least: int, most: int = LARGEST_INT64) -> int:
        """A whole number from `least` to `most`; required where the default is None."""
        self._require(name, default)
        value = self._values.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise TickflagError(f"argument {name!r} of {self._what!r} must be a whole number from {least} to {most}")
        return value

    def end(self) -> None:
        """Refuses the arguments that nobody asked for."""
        for name in self._values:
            raise TickflagError(f"{self._what!r} has no argument {name!r}")

    def _require(self, name: str, default: object) -> None:
        if default is None and name not in self._values:
            raise TickflagError(f"argument {name!r} of {self._what!r} is missing")


Command = Callable[[Arguments], Any]
"""Carries out one request and gives its answer. Raises TickflagError where the arguments, or the present state, do not
allow it."""


def _is_json(value: Any, depth: int) -> bool:
    if isinstance(value, list | dict):
        inner = (*value.keys(), *value.values()) if isinstance(value, dict) else value
        return depth > 0 and all(_is_json(one, depth - 1) for one in inner)
    return value is None or isinstance(value, bool | int | float | str)
