"""The reader's micro-steps: take an event or wake, fast and exact path, row copies under their seqlock, the commit.

A step is one read of shared memory together with what the reader decides by it alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .events import is_heard, under_way
from .protocol import Protocol
from .scenario import Scenario
from .state import LEFT, NOTHING_COVERED, Copy, Event, Move, Pass, Reader, Segment, State, put



class _At(NamedTuple):
    """Where a pass stands; `segment` is the one of the reader's generation."""

    protocol: Protocol
    scenario: Scenario
    state: State
    segment: Segment
    task: Pass


FAIL = "reader: evaluation failed"
TAKES_EVENT = "reader: event"


def reader_moves(protocol: Protocol, scenario: Scenario, state: State) -> Iterator[Move]:
    """Every micro-step the reader can take. An event that is to be ignored is no step."""
    reader = state.reader
    segment = state.segments[reader.generation]
    if reader.task:
        yield from _STEPS[reader.task.step](_At(protocol, scenario, state, segment, reader.task))
        return
    for event in state.events:
        if is_heard(protocol, reader, event):
            yield _take(protocol, state, event)
    has_retry = bool(reader.retry) and not protocol.forgets_timer
    if not protocol.never_wakes_alone and (segment.closed != reader.done or has_retry or reader.owes_exact):
        task = _exact(protocol, _pass(reader, reader.generation, None))
        yield _go(state, "reader: wakes by itself", reader.done, task)
        if scenario.processes_all:
            yield _go(state, "reader: wakes to process all", reader.done, task._replace(everything=True))
    if state.current != reader.generation and not protocol.never_reattaches:
        yield _attach(protocol, state)


def is_at_rest(state: State) -> bool:
    """The reader sees no reason of its own to start a pass."""
    reader = state.reader
    return not (
        reader.task
        or reader.retry
        or reader.owes_exact
        or reader.generation != state.current
        or reader.done != state.segments[reader.generation].closed
    )


def _take(protocol: Protocol, state: State, event: Event) -> Move:
    reader = state.reader
    keeps_hint = protocol.counts_from_event or protocol.done_from_event
    task = _pass(reader, event.generation, event if keeps_hint else None)
    is_next = event.cycle <= reader.done + 1 or protocol.misses_gaps
    if is_next and not reader.owes_exact:
        step = "copy" if protocol.skips_first_look else "look"
        return _go(state, f"{TAKES_EVENT} of the next cycle", event.cycle, task._replace(step=step, cycle=event.cycle))
    name = f"{TAKES_EVENT}, owing an exact pass" if is_next else f"{TAKES_EVENT} after a gap"
    return _go(state, name, event.cycle, _exact(protocol, task))


def _attach(protocol: Protocol, state: State) -> Move:
    """A new generation: everything is dirty, and the match set rests on nothing until it has data again."""
    slots = len(state.reader.seen)
    reader = state.reader._replace(
        generation=state.current,
        done=state.segments[state.current].closed if protocol.attaches_at_closed else NOTHING_COVERED,
        seen=state.reader.seen if protocol.keeps_seen_at_attach else (0,) * slots,
        result=(0,) * slots,
        retry=0,
    )
    segments = state.segments
    if not state.writer.swap:
        segments = (LEFT,) * state.current + segments[state.current :]
    events = under_way(protocol, reader, state.events)
    attached = state._replace(segments=segments, reader=reader, events=events)
    return Move("reader: attaches to the new generation", state.current, attached)


def _pass(reader: Reader, origin: int, hint: Event | None) -> Pass:
    return Pass("", origin, (None,) * len(reader.seen), hint)


def _exact(protocol: Protocol, task: Pass) -> Pass:
    """`task` sent along the exact path, with nothing kept of an attempt on the fast one."""
    return task._replace(step=_exact_order(protocol)[0], cycle=0, index=0, todo=0)


def _exact_order(protocol: Protocol) -> tuple[str, ...]:
    if protocol.counts_before_closed:
        return ("count", "closed", "scan", "rows")
    if protocol.closed_after_scan:
        return ("count", "scan", "closed", "rows")
    return ("closed", "count", "scan", "rows")


def _look(at: _At) -> Iterator[Move]:
    if at.segment.stamps[at.protocol.read_buffer(at.task.cycle)] == at.protocol.stamp_of(at.task.cycle):
        yield _go(at.state, "reader: stamp read", at.task.cycle, at.task._replace(step="copy"))
    else:
        yield _go(at.state, "reader: stamp is another, exact path", at.task.cycle, _exact(at.protocol, at.task))


def _copy(at: _At) -> Iterator[Move]:
    bit = at.segment.flags[at.protocol.read_buffer(at.task.cycle)] & 1 << at.task.index
    copied = at.task._replace(todo=at.task.todo | bit, index=at.task.index + 1)
    if copied.index == len(at.segment.rows):
        copied = copied._replace(step="look again", index=0)
        if at.protocol.skips_second_look:
            copied = _to_rows(_with_retry(at.protocol, at.state.reader, copied))
    yield _go(at.state, "reader: flag copied", at.task.index, copied)


def _look_again(at: _At) -> Iterator[Move]:
    if at.segment.stamps[at.protocol.read_buffer(at.task.cycle)] == at.protocol.stamp_of(at.task.cycle):
        valid = _to_rows(_with_retry(at.protocol, at.state.reader, at.task))
        yield _go(at.state, "reader: stamp is still the same", at.task.cycle, valid)
    else:
        yield _go(at.state, "reader: stamp has moved, exact path", at.task.cycle, _exact(at.protocol, at.task))


def _with_retry(protocol: Protocol, reader: Reader, task: Pass) -> Pass:
    return task if protocol.overwrites_retry else task._replace(todo=task.todo | reader.retry)


def _closed(at: _At) -> Iterator[Move]:
    target = at.segment.closed
    if at.protocol.done_from_event:
        target = at.task.hint.cycle if at.task.hint else at.state.reader.done
    yield _go(at.state, "reader: `closed` read", target, _next_exact(at.protocol, at.task._replace(cycle=target)))


def _count(at: _At) -> Iterator[Move]:
    count = at.task.hint.count if at.protocol.counts_from_event and at.task.hint else at.segment.count
    yield _go(at.state, "reader: symbol count read", count, _next_exact(at.protocol, at.task._replace(count=count)))


def _scan(at: _At) -> Iterator[Move]:
    symbol = at.task.index
    if symbol >= at.task.count:
        yield _go(at.state, "reader: scan finished", at.task.count, _next_exact(at.protocol, at.task._replace(index=0, count=0)))
        return
    is_taken = at.task.everything or _differs(at.protocol, at.state.reader, at.segment, symbol)
    scanned = at.task._replace(index=symbol + 1, todo=at.task.todo | is_taken << symbol)
    if scanned.index == at.task.count:
        scanned = _next_exact(at.protocol, scanned._replace(index=0, count=0))
    yield _go(at.state, "reader: version scanned", symbol, scanned)


def _differs(protocol: Protocol, reader: Reader, segment: Segment, symbol: int) -> bool:
    if segment.rows[symbol].version % 2 and protocol.skips_odd_rows:
        return False
    return _tag(protocol, segment, symbol) != reader.seen[symbol]


def _next_exact(protocol: Protocol, task: Pass) -> Pass:
    order = _exact_order(protocol)
    following = order[order.index(task.step) + 1]
    return _to_rows(task) if following == "rows" else task._replace(step=following)


def _tag(protocol: Protocol, segment: Segment, symbol: int) -> int:
    return segment.cycles[symbol] if protocol.remembers_cycles else segment.rows[symbol].version


def _to_rows(task: Pass) -> Pass:
    """On to the first symbol still to be taken, or to the evaluation when there is none."""
    if not task.todo:
        return task._replace(step="evaluate", index=0, everything=False)
    return task._replace(step="version", index=(task.todo & -task.todo).bit_length() - 1)


def _row_done(task: Pass, **changes: tuple[Copy | None, ...] | int) -> Pass:
    left = task.todo & ~(1 << task.index)
    return _to_rows(task._replace(todo=left, tries=0, version=0, tag=0, first=0, second=0)._replace(**changes))


def _try_failed(scenario: Scenario, state: State, task: Pass) -> Move:
    if task.tries + 1 < scenario.tries:
        again = task._replace(step="version", tries=task.tries + 1, version=0, tag=0, first=0, second=0)
        return _go(state, "reader: row moved, again", task.index, again)
    return _go(state, "reader: row moved, to the retry set", task.index, _row_done(task, failed=task.failed | 1 << task.index))


def _version(at: _At) -> Iterator[Move]:
    symbol = at.task.index
    version = at.segment.rows[symbol].version
    if not version or not (at.task.everything or _differs(at.protocol, at.state.reader, at.segment, symbol)):
        yield _go(at.state, "reader: row already seen", symbol, _row_done(at.task))
    elif version % 2 and not at.protocol.skips_seqlock:
        if at.protocol.spins_on_odd_row:
            yield _go(at.state, "reader: row is odd, waits", symbol, at.task)
        else:
            yield _try_failed(at.scenario, at.state, at.task)
    else:
        begun = at.task._replace(step="first", version=version, tag=_tag(at.protocol, at.segment, symbol))
        yield _go(at.state, "reader: version read", symbol, begun)


def _first(at: _At) -> Iterator[Move]:
    read = at.task._replace(step="second", first=at.segment.rows[at.task.index].first)
    yield _go(at.state, "reader: first word copied", at.task.index, read)


def _second(at: _At) -> Iterator[Move]:
    read = at.task._replace(step="check", second=at.segment.rows[at.task.index].second)
    yield _go(at.state, "reader: second word copied", at.task.index, read)


def _check(at: _At) -> Iterator[Move]:
    if at.segment.rows[at.task.index].version == at.task.version or at.protocol.skips_seqlock:
        copied = put(at.task.copied, at.task.index, Copy(at.task.tag, at.task.first, at.task.second))
        yield _go(at.state, "reader: row taken", at.task.index, _row_done(at.task, copied=copied))
    else:
        yield _try_failed(at.scenario, at.state, at.task)


def _evaluate(at: _At) -> Iterator[Move]:
    yield Move("reader: committed", at.task.cycle, _committed(at.protocol, at.state, at.segment, at.task, is_evaluated=True))
    if at.scenario.failures and any(at.task.copied):
        failed = at.state
        if at.protocol.commits_before_evaluation:
            failed = _committed(at.protocol, at.state, at.segment, at.task, is_evaluated=False)
        reader = failed.reader._replace(task=None, owes_exact=not at.protocol.forgets_failure)
        yield Move(FAIL, at.task.cycle, failed._replace(reader=reader))


def _committed(protocol: Protocol, state: State, segment: Segment, task: Pass, is_evaluated: bool) -> State:
    seen, result = list(state.reader.seen), list(state.reader.result)
    for symbol, copy in enumerate(task.copied):
        if copy:
            seen[symbol] = segment.rows[symbol].version if protocol.rereads_version else copy.tag
            if is_evaluated:
                result[symbol] = copy.first
    reader = state.reader._replace(
        done=task.cycle,
        seen=tuple(seen),
        result=tuple(result),
        retry=0 if protocol.forgets_retry else task.failed,
        owes_exact=False,
        task=None,
    )
    ledger = segment.ledger[min(task.cycle - segment.closed - 1, -1) :]
    segments = put(state.segments, reader.generation, segment._replace(ledger=ledger))
    return state._replace(reader=reader, segments=segments, events=under_way(protocol, reader, state.events))


def _go(state: State, name: str, subject: int, task: Pass) -> Move:
    return Move(name, subject, state._replace(reader=state.reader._replace(task=task)))


_STEPS = {
    "look": _look,
    "copy": _copy,
    "look again": _look_again,
    "closed": _closed,
    "count": _count,
    "scan": _scan,
    "version": _version,
    "first": _first,
    "second": _second,
    "check": _check,
    "evaluate": _evaluate,
}
