"""Hand-over: what a worker leaves to the one that takes its place, in a file of the runtime folder.

A file and not a message: the supervisor must never wait for a worker that stopped in the middle of a long one.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import msgpack


@dataclass(frozen=True, slots=True)
class Legacy:
    """What is handed over. Whatever a worker keeps beside its matches belongs here, too."""

    matches: dict[str, float]
    """Symbol -> score, as of the last committed cycle."""


NOTHING = Legacy({})


def leave(path: Path, legacy: Legacy) -> None:
    """Write the file as one step."""
    fresh = path.with_suffix(".new")
    with contextlib.suppress(OSError):  # no space: the successor begins with nothing, which is right but slower
        fresh.write_bytes(msgpack.packb({"matches": legacy.matches}))
        fresh.replace(path)


def inherit(path: Path) -> Legacy:
    """What the predecessor left, and remove it; nothing where it left none, or none that is whole."""
    try:
        found = msgpack.unpackb(path.read_bytes())
        path.unlink()
        return Legacy({str(symbol): float(score) for symbol, score in found["matches"].items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return NOTHING
