"""Diagnosis: what a check says of one thing."""

from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "fail"]


class Diagnosis(NamedTuple):
    """A line of the report."""

    check: str
    level: Level
    found: str
    do: str = ""
    """What to do about it."""
