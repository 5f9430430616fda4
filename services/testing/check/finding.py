"""Finding: the result of one check of a trader."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """`check` names the check, `found` says what it found."""

    check: str
    level: Literal["ok", "warn", "fail"]
    found: str
    do: str = ""
    """What to do about it."""
