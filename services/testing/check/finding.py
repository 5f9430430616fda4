"""Finding: what one check of a trader came to."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    check: str
    level: Literal["ok", "warn", "fail"]
    found: str
    do: str = ""
    """What to do about it."""
