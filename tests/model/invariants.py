"""What must stay true, under the names that the design gives.

NoLostUpdate compares the updates that the match set rests on, not `seen`: a wrong turn may move `seen` without the
work.
"""

from collections.abc import Callable

from .protocol_model import ProtocolModel
from .reader import TAKES_EVENT, is_at_rest
from .reader_pass import FAIL
from .state import NOTHING_COVERED, ModelState, Move
from .writer import is_finished, is_quiet


def no_lost_update(_model: ProtocolModel, state: ModelState) -> bool:
    """Every update announced up to `done` is in the match set or in the retry set; when both sides rest, the match set
    has every row."""
    reader = state.reader
    segment = state.segments[reader.generation]
    if reader.done != NOTHING_COVERED:
        ledger = segment.ledger
        announced = ledger[max(min(reader.done - segment.closed - 1, -1), -len(ledger))]
        for symbol, update in enumerate(announced):
            if reader.result[symbol] < update and not reader.retry >> symbol & 1:
                return False
    if is_quiet(state) and is_at_rest(state):
        return all(result == row.first for result, row in zip(reader.result, segment.rows, strict=True))
    return True


def cursor_closed(before: ModelState, after: ModelState) -> bool:
    """`done` never passes `closed`, and within a generation it never goes back."""
    old, new = before.reader, after.reader
    is_monotone = old.generation != new.generation or old.done <= new.done
    return is_monotone and new.done <= after.segments[new.generation].closed


def no_torn_read(_model: ProtocolModel, state: ModelState) -> bool:
    """The words of a copied row come from one update."""
    task = state.reader.task
    return task is None or all(copy is None or copy.first == copy.second for copy in task.copied)


def writer_wait_free(model: ProtocolModel, state: ModelState) -> bool:
    """The writer has a next step wherever the reader stands, until its work is done."""
    return is_finished(state) or bool(model.writer_moves(state))


def no_stamp_reuse(before: ModelState, after: ModelState) -> bool:
    """A stamp is put once, on a buffer whose flags stay as they are until the stamp is gone."""
    if before.segments is after.segments:
        return True
    old, new = before.segments[-1], after.segments[-1]
    if len(before.segments) == len(after.segments):
        for was, stamp in zip(old.stamps, new.stamps, strict=True):
            if stamp not in (0, was) and stamp <= old.closed:
                return False
    return all(
        not stamp or flags == frozen for stamp, flags, frozen in zip(new.stamps, new.flags, new.frozen, strict=True)
    )


def generation_fence(_model: ProtocolModel, state: ModelState) -> bool:
    """A pass starts only by an event of its own generation, and the writer leaves a generation with everything
    announced."""
    reader = state.reader
    if reader.generation > state.current or (reader.task and reader.task.origin != reader.generation):
        return False
    return all(
        segment.ledger[-1] == tuple(row.first for row in segment.rows) for segment in state.segments[: state.current]
    )


def events_are_hints(model: ProtocolModel, state: ModelState) -> list[Move]:
    """If the writer stops and no event comes any more, the reader by itself covers what was announced."""
    return [move for move in model.reader_moves(state) if move.name != FAIL and not move.name.startswith(TAKES_EVENT)]


def progress(model: ProtocolModel, state: ModelState) -> list[Move]:
    """If the writer stops, even inside a row, the reader covers every other row, whatever events still come."""
    return [move for move in model.reader_moves(state) if move.name != FAIL]


def is_covered(state: ModelState) -> bool:
    """The reader is in the current generation, at `closed`, and has every announced update but those of odd rows."""
    reader = state.reader
    segment = state.segments[reader.generation]
    if reader.generation != state.current or reader.done < segment.closed:
        return False
    announced = zip(segment.rows, reader.result, segment.ledger[-1], strict=True)
    return all(row.version % 2 or result >= update for row, result, update in announced)


STATE_INVARIANTS: dict[str, Callable[[ProtocolModel, ModelState], bool]] = {
    "NoLostUpdate": no_lost_update,
    "NoTornRead": no_torn_read,
    "WriterWaitFree": writer_wait_free,
    "GenerationFence": generation_fence,
}
"""True in every state."""

STEP_INVARIANTS: dict[str, Callable[[ModelState, ModelState], bool]] = {
    "CursorClosed": cursor_closed,
    "NoStampReuse": no_stamp_reuse,
}
"""True of every step."""

EVENTUAL_INVARIANTS: dict[str, Callable[[ProtocolModel, ModelState], list[Move]]] = {
    "EventsAreHints": events_are_hints,
    "Progress": progress,
}
"""From every state these moves alone lead to coverage, whichever are chosen: there is no dead end and no circle."""

INVARIANTS = (*STATE_INVARIANTS, *STEP_INVARIANTS, *EVENTUAL_INVARIANTS)
