"""What there is at one moment: segments, events on their way, writer and reader; all of it hashable values.

`frozen`, `marks`, `ledger` and `result` are the observer's notes: no step depends on them. The number of an update
stands for what it writes, so a row's words say which update they came from.
"""

from typing import NamedTuple, TypeVar

T = TypeVar("T")

NOTHING_COVERED = -1
"""`done` of a reader that has not finished a pass: no cycle is the next one, so its first pass is exact."""


class Row(NamedTuple):
    """One symbol's row: a version that is odd while the two words are being written."""

    version: int = 0
    first: int = 0
    second: int = 0


class ModelSegment(NamedTuple):
    """The shared memory of one generation. Flags are bit masks over symbols, one for each buffer."""

    closed: int
    stamps: tuple[int, int]
    flags: tuple[int, int]
    symbol_count: int
    rows: tuple[Row, ...]
    cycles: tuple[int, ...]
    """Cycle of each symbol's last update; written only for the wrong turn that reads it."""
    frozen: tuple[int, int]
    """The flags that each buffer had when it was stamped."""
    marks: tuple[int, ...]
    """The newest update of each symbol that the writer counts as announced."""
    ledger: tuple[tuple[int, ...], ...]
    """`marks` at the close of each cycle up to `closed`, without the cycles that the reader has left behind."""


class Event(NamedTuple):
    """A swap event. Once sent it may arrive late, again, out of order or never."""

    generation: int
    cycle: int
    symbol_count: int


class ModelWriter(NamedTuple):
    """The feed: the open cycle, the steps left of the update and of the swap it is in, and its work to come."""

    open: int
    row: tuple[str, ...]
    symbol: int
    swap: tuple[str, ...]
    deferred: int
    updates: tuple[int, ...]
    switches: int


class Copy(NamedTuple):
    """A row as copied by the reader; `tag` is what `seen` will remember of it."""

    tag: int
    first: int
    second: int


class Pass(NamedTuple):
    """A reader's running pass. A field that no later step needs is back at its default, to keep the states few."""

    step: str
    origin: int
    """Generation of the event that started the pass, or of the reader when it woke by itself."""
    copied: tuple[Copy | None, ...]
    hint: Event | None = None
    """The event that started the pass; kept only for wrong turns that trust it."""
    everything: bool = False
    cycle: int = 0
    symbol_count: int = 0
    slot: int = 0
    todo: int = 0
    failed: int = 0
    tries: int = 0
    version: int = 0
    tag: int = 0
    first: int = 0
    second: int = 0


class ModelReader(NamedTuple):
    """One trader; others would be independent of it, because no reader writes anything shared."""

    generation: int
    done: int
    seen: tuple[int, ...]
    result: tuple[int, ...]
    """For each symbol, the update that the committed match set rests on."""
    retry: int
    owes_exact: bool
    """The last evaluation failed, so the next pass takes the exact path."""
    task: Pass | None


class ModelState(NamedTuple):
    """Everything, at one moment. A segment the reader has left for a newer one is replaced by `LEFT`."""

    segments: tuple[ModelSegment, ...]
    current: int
    events: frozenset[Event]
    writer: ModelWriter
    reader: ModelReader


class Move(NamedTuple):
    """One micro-step: its name, its symbol or cycle, and the state it leads to."""

    name: str
    subject: int
    state: ModelState


def empty_segment(slots: int, symbol_count: int) -> ModelSegment:
    """A ready segment without data."""
    none = (0,) * slots
    return ModelSegment(0, (0, 0), (0, 0), symbol_count, (Row(),) * slots, none, (0, 0), none, (none,))


LEFT = empty_segment(0, 0)


def put(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    """`values` with one of them replaced."""
    return (*values[:index], value, *values[index + 1 :])


def put_pair(pair: tuple[int, int], index: int, value: int) -> tuple[int, int]:
    """`pair` with one of the two replaced."""
    return (pair[0], value) if index else (value, pair[1])
