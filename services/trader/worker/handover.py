"""Hand-over: what a worker leaves to the one that takes its place, in a file of the runtime folder.

A file and not a message: the supervisor must never wait for a worker that stopped in the middle of a long one.
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack


@dataclass(frozen=True, slots=True)
class Legacy:
    """What is handed over. Whatever a worker keeps beside its matches belongs here, too."""

    matches: dict[str, float]
    """Symbol -> score, as of the last committed cycle."""
    notes: dict[str, str] = field(default_factory=dict)
    version: str = ""
    """Of the trader's code. Another version begins without the numbers."""
    lineage: int = 0
    """Of the segments whose rows it saw; 0 for none."""
    numbers: dict[str, tuple[int, bytes, bytes]] = field(default_factory=dict)
    """Symbol -> version of the row seen last, the trader's numbers before and after it."""
    kind: str = ""
    """Names and types of the numbers."""


NOTHING = Legacy({})


def leave(path: Path, legacy: Legacy) -> None:
    """Write the file as one step."""
    fresh = path.with_suffix(".new")
    words = [legacy.matches, legacy.notes, legacy.version, legacy.lineage, legacy.numbers, legacy.kind]
    with contextlib.suppress(OSError):  # no space: the successor begins with nothing, which is right but slower
        fresh.write_bytes(msgpack.packb(words))
        fresh.replace(path)


def inherit(path: Path) -> Legacy:
    """What the predecessor left, and remove it; nothing where it left none, or none that is whole."""
    try:
        matches, notes, version, lineage, numbers, kind = msgpack.unpackb(path.read_bytes())
        path.unlink()
        return Legacy(
            {str(symbol): float(score) for symbol, score in matches.items()},
            {str(symbol): str(note) for symbol, note in notes.items()},
            str(version),
            int(lineage),
            {str(symbol): _number(words) for symbol, words in numbers.items()},
            str(kind),
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return NOTHING


def _number(words: Any) -> tuple[int, bytes, bytes]:
    seen, before, after = words
    return int(seen), bytes(before), bytes(after)
