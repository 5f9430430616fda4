"""The reader between two passes: it receives an event, wakes by itself, or attaches to a new generation."""

from collections.abc import Iterator

from .events import is_heard, under_way
from .protocol import Protocol
from .reader_pass import at_start_of_exact_path, pass_moves
from .scenario import Scenario
from .state import LEFT, NOTHING_COVERED, Event, ModelReader, ModelState, Move, Pass

TAKES_EVENT = "reader: event"


def reader_moves(protocol: Protocol, scenario: Scenario, state: ModelState) -> Iterator[Move]:
    """Every micro-step that the reader can take. Ignoring an event is no step."""
    reader = state.reader
    if reader.task:
        yield from pass_moves(protocol, scenario, state, reader.task)
        return
    for event in state.events:
        if is_heard(protocol, reader, event):
            yield _take(protocol, scenario, state, event)
    has_retry = bool(reader.retry) and not protocol.forgets_timer
    has_reason = state.segments[reader.generation].closed != reader.done or has_retry or reader.owes_exact
    if has_reason and not protocol.never_wakes_alone:
        task = at_start_of_exact_path(protocol, _new_pass(reader, reader.generation, None))
        yield _begin(state, "reader: wakes by itself", reader.done, task)
        if scenario.processes_all:
            yield _begin(state, "reader: wakes to process all", reader.done, task._replace(everything=True))
    if state.current != reader.generation and not protocol.never_reattaches:
        yield _attach(protocol, state)


def is_at_rest(state: ModelState) -> bool:
    """The reader has no reason of its own to start a pass."""
    reader = state.reader
    return not (
        reader.task
        or reader.retry
        or reader.owes_exact
        or reader.generation != state.current
        or reader.done != state.segments[reader.generation].closed
    )


def _take(protocol: Protocol, scenario: Scenario, state: ModelState, event: Event) -> Move:
    reader = state.reader
    keeps_hint = protocol.counts_from_event or protocol.done_from_event
    task = _new_pass(reader, event.generation, event if keeps_hint else None)
    if scenario.observes_first:
        return _begin(state, f"{TAKES_EVENT}, looks for itself", event.cycle, at_start_of_exact_path(protocol, task))
    is_next = event.cycle <= reader.done + 1 or protocol.misses_gaps
    if is_next and not reader.owes_exact:
        step = "copy" if protocol.skips_first_look else "look"
        return _begin(
            state, f"{TAKES_EVENT} of the next cycle", event.cycle, task._replace(step=step, cycle=event.cycle)
        )
    name = f"{TAKES_EVENT}, owing an exact pass" if is_next else f"{TAKES_EVENT} after a gap"
    return _begin(state, name, event.cycle, at_start_of_exact_path(protocol, task))


def _attach(protocol: Protocol, state: ModelState) -> Move:
    """Attach to a new generation: everything is dirty, and the match set rests on nothing until the reader has data
    again."""
    nothing = (0,) * len(state.reader.seen)
    reader = state.reader._replace(
        generation=state.current,
        done=state.segments[state.current].closed if protocol.attaches_at_closed else NOTHING_COVERED,
        seen=state.reader.seen if protocol.keeps_seen_at_attach else nothing,
        result=nothing,
        retry=0,
    )
    segments = state.segments
    if not state.writer.swap:
        segments = (LEFT,) * state.current + segments[state.current :]
    events = under_way(protocol, reader, state.events)
    attached = state._replace(segments=segments, reader=reader, events=events)
    return Move("reader: attaches to the new generation", state.current, attached)


def _new_pass(reader: ModelReader, origin: int, hint: Event | None) -> Pass:
    return Pass("", origin, (None,) * len(reader.seen), hint)


def _begin(state: ModelState, name: str, subject: int, task: Pass) -> Move:
    return Move(name, subject, state._replace(reader=state.reader._replace(task=task)))
