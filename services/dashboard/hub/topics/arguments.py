"""TopicArguments: the arguments of a topic or command as they came from outside, checked one by one."""

import math
from collections.abc import Mapping
from typing import Any

from tickflag.services.dashboard.hub.refusals import Refused

LONGEST = 128  # characters of a name or text
MOST_NAMES = 200


class TopicArguments:
    """Gives each argument once and with the right type; `end` refuses what is left.

    Every method raises Refused naming the argument at fault.
    """

    def __init__(self, topic: str, values: Mapping[str, Any]) -> None:
        self._topic, self._values = topic, dict(values)

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required where there is no default. None counts as not given."""
        value = self._values.pop(name, None)
        if value is None:
            value = default
        if not isinstance(value, str) or len(value) > LONGEST:
            raise self._wrong(name, f"a text of at most {LONGEST} characters")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of these texts."""
        value = self.text(name, default)
        if value not in choices:
            raise self._wrong(name, f"one of {', '.join(filter(None, choices))}")
        return value

    def count(self, name: str, default: int, most: int, least: int = 0) -> int:
        """A whole number."""
        value = self._values.pop(name, None)
        if value is None:
            value = default
        if not _is_whole(value) or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return int(value)

    def number(self, name: str) -> int | None:
        """A whole number from 0 on, such as that of a signal; None where it is not given."""
        value = self._values.pop(name, None)
        if value is not None and (not _is_whole(value) or not 0 <= value < 1 << 53):
            raise self._wrong(name, "a whole number, or null")
        return value if value is None else int(value)

    def switch(self, name: str) -> bool:
        """True or false."""
        value = self._values.pop(name, None)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def names(self, name: str) -> tuple[str, ...] | None:
        """A list of names, sorted; None where it is not given."""
        value = self._values.pop(name, None)
        if value is None:
            return None
        fits = isinstance(value, list) and len(value) <= MOST_NAMES
        if not fits or not all(isinstance(one, str) and len(one) <= LONGEST for one in value):
            raise self._wrong(name, f"a list of at most {MOST_NAMES} names, or null")
        return tuple(sorted(set(value)))

    def sort(self, name: str, columns: tuple[str, ...], most: int = 4) -> tuple[tuple[str, bool], ...]:
        """Pairs of a column and whether it descends, from a list of [column, `asc` or `desc`]."""
        value = self._values.pop(name, None) or []
        fits = isinstance(value, list) and len(value) <= most
        if not fits or not all(_is_pair(one) and one[0] in columns and one[1] in ("asc", "desc") for one in value):
            raise self._wrong(
                name, f"a list of at most {most} pairs of a column ({', '.join(columns)}) and asc or desc"
            )
        return tuple((column, way == "desc") for column, way in value)

    def ranges(self, name: str, columns: tuple[str, ...]) -> tuple[tuple[str, float | None, float | None], ...]:
        """Column, least and most of each range, from a map of column to [least, most]; null is no limit."""
        value = self._values.pop(name, None) or {}
        if not isinstance(value, dict) or not all(
            column in columns and _is_pair(limits) and all(one is None or _is_number(one) for one in limits)
            for column, limits in value.items()
        ):
            raise self._wrong(name, f"a map of a column ({', '.join(columns)}) to [least, most]; null is no limit")
        return tuple((column, *limits) for column, limits in sorted(value.items()))

    def end(self) -> None:
        """Refuse the arguments that nobody asked for."""
        for name in self._values:
            raise Refused(f"{self._topic!r} has no argument {name[:LONGEST]!r}")

    def _wrong(self, name: str, wanted: str) -> Refused:
        return Refused(f"argument {name!r} of {self._topic!r} must be {wanted}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2
