"""HandoverState: what a worker leaves to its successor, in a file of the runtime folder.

It is a file and not a message: the supervisor must never wait for a worker that stopped in the middle of a long
message.
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack


@dataclass(frozen=True, slots=True)
class HandoverState:
    """Everything that a successor goes on with. Whatever else a worker must keep belongs here, too."""

    matches: dict[str, float]
    """Symbol -> score, as of the last committed cycle."""
    notes: dict[str, str] = field(default_factory=dict)
    version: str = ""
    """The version of the trader's code. A successor of another version begins without the numbers."""
    lineage: int = 0
    """The lineage of the segments whose rows the worker saw; 0 for none."""
    numbers: dict[str, tuple[int, bytes, bytes]] = field(default_factory=dict)
    """Symbol -> (version of the row seen last, the trader's numbers before it, those after it)."""
    kind: str = ""
    """Names and types of the numbers; empty where the trader has none."""


NOTHING = HandoverState({})


def leave(path: Path, state: HandoverState) -> None:
    """Write the file whole or not at all."""
    unfinished = path.with_suffix(".new")
    words = [state.matches, state.notes, state.version, state.lineage, state.numbers, state.kind]
    with contextlib.suppress(OSError):  # no space: the successor begins with nothing, which is correct but slower
        unfinished.write_bytes(msgpack.packb(words))
        unfinished.replace(path)


def inherit(path: Path) -> HandoverState:
    """What the predecessor left; removes the file. NOTHING where the file is missing or damaged."""
    try:
        matches, notes, version, lineage, numbers, kind = msgpack.unpackb(path.read_bytes())
        path.unlink()
        return HandoverState(
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
