"""A reader's pass: the fast path, the exact path, row copies under their seqlock, the evaluation and the commit.

A step is one read of shared memory together with what the reader decides by that read alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .events import under_way
from .protocol import Protocol
from .scenario import Scenario
from .state import NOTHING_COVERED, Copy, ModelSegment, ModelState, Move, Pass, put

FAIL = "reader: evaluation failed"


class _At(NamedTuple):
    """The state of a pass; `segment` is that of the reader's generation."""

    protocol: Protocol
    scenario: Scenario
    state: ModelState
    segment: ModelSegment
    task: Pass

    def move(self, name: str, subject: int, task: Pass) -> Move:
        return Move(name, subject, self.state._replace(reader=self.state.reader._replace(task=task)))

    def tag(self, symbol: int) -> int:
        """What `seen` remembers of a symbol."""
        if self.protocol.remembers_cycles:
            return self.segment.cycles[symbol]
        return self.segment.rows[symbol].version

    def is_different(self, symbol: int) -> bool:
        """Whether the version is not the one last seen; an odd version never is."""
        if self.protocol.skips_odd_rows and self.segment.rows[symbol].version % 2:
            return False
        return self.task.everything or self.tag(symbol) != self.state.reader.seen[symbol]

    def may_be_fast(self, task: Pass) -> bool:
        """Whether an observing reader may take the fast path: one cycle was closed, and nothing is owed from before."""
        reader = self.state.reader
        is_owing = reader.done == NOTHING_COVERED or reader.owes_exact or reader.retry or task.everything
        is_next = task.cycle == reader.done + 1 or self.protocol.misses_gaps
        return self.scenario.observes_first and is_next and not is_owing

    def has_stamp(self) -> bool:
        cycle = self.task.cycle
        return self.segment.stamps[self.protocol.read_buffer(cycle)] == self.protocol.stamp_of(cycle)


def pass_moves(protocol: Protocol, scenario: Scenario, state: ModelState, task: Pass) -> Iterator[Move]:
    """The micro-steps of the running pass: one, or two where the evaluation may fail."""
    return _STEPS[task.step](_At(protocol, scenario, state, state.segments[state.reader.generation], task))


def at_start_of_exact_path(protocol: Protocol, task: Pass) -> Pass:
    """`task` at the start of the exact path, with nothing kept of an attempt on the fast one."""
    return task._replace(step=_exact_order(protocol)[0], cycle=0, slot=0, todo=0)


def _exact_order(protocol: Protocol) -> tuple[str, ...]:
    if protocol.counts_before_closed:
        return ("count", "closed", "scan", "rows")
    if protocol.closed_after_scan:
        return ("count", "scan", "closed", "rows")
    return ("closed", "count", "scan", "rows")


def _after(at: _At, task: Pass) -> Pass:
    """`task` at the next part of the exact path, or on the fast path where the observed `closed` allows it."""
    order = _exact_order(at.protocol)
    following = order[order.index(task.step) + 1]
    if following == "rows":
        return _at_next_row(task)
    if following == "scan":
        return task._replace(step="look") if at.may_be_fast(task) else _at_scan(at, task)
    return task._replace(step=following)


def _at_scan(at: _At, task: Pass) -> Pass:
    scan = task._replace(step="scan", slot=0, todo=0)
    return scan if task.symbol_count else _after(at, scan)


def _at_exact_path(at: _At) -> Pass:
    """Leave the fast path. An observing reader keeps its cycle and its count, which belong together."""
    return _at_scan(at, at.task) if at.scenario.observes_first else at_start_of_exact_path(at.protocol, at.task)


def _look(at: _At) -> Iterator[Move]:
    if at.has_stamp():
        yield at.move("reader: stamp read", at.task.cycle, at.task._replace(step="copy"))
    else:
        yield at.move("reader: stamp is another, exact path", at.task.cycle, _at_exact_path(at))


def _copy(at: _At) -> Iterator[Move]:
    task = at.task
    bit = at.segment.flags[at.protocol.read_buffer(task.cycle)] & 1 << task.slot
    copied = task._replace(todo=task.todo | bit, slot=task.slot + 1)
    if copied.slot == len(at.segment.rows):
        copied = copied._replace(step="look again", slot=0)
        if at.protocol.skips_second_look:
            copied = _at_flagged_rows(at, copied)
    yield at.move("reader: flag copied", task.slot, copied)


def _look_again(at: _At) -> Iterator[Move]:
    if at.has_stamp():
        yield at.move("reader: stamp is still the same", at.task.cycle, _at_flagged_rows(at, at.task))
    else:
        yield at.move("reader: stamp has moved, exact path", at.task.cycle, _at_exact_path(at))


def _at_flagged_rows(at: _At, task: Pass) -> Pass:
    retry = 0 if at.protocol.overwrites_retry else at.state.reader.retry
    todo = task.todo | retry
    if at.scenario.observes_first:
        todo &= (1 << task.symbol_count) - 1
    return _at_next_row(task._replace(todo=todo, symbol_count=0))


def _closed(at: _At) -> Iterator[Move]:
    target = at.segment.closed
    if at.protocol.done_from_event:
        target = at.task.hint.cycle if at.task.hint else at.state.reader.done
    yield at.move("reader: `closed` read", target, _after(at, at.task._replace(cycle=target)))


def _count(at: _At) -> Iterator[Move]:
    hint = at.task.hint if at.protocol.counts_from_event else None
    count = hint.symbol_count if hint else at.segment.symbol_count
    yield at.move("reader: symbol count read", count, _after(at, at.task._replace(symbol_count=count)))


def _scan(at: _At) -> Iterator[Move]:
    task = at.task
    scanned = task._replace(slot=task.slot + 1, todo=task.todo | at.is_different(task.slot) << task.slot)
    if scanned.slot == task.symbol_count:
        scanned = _after(at, scanned._replace(slot=0, symbol_count=0))
    yield at.move("reader: version scanned", task.slot, scanned)


def _at_next_row(task: Pass) -> Pass:
    """`task` at the next row to copy, or at the evaluation when there is none."""
    if not task.todo:
        return task._replace(step="evaluate", slot=0, everything=False)
    return task._replace(step="version", slot=(task.todo & -task.todo).bit_length() - 1)


def _after_row(task: Pass) -> Pass:
    left = task.todo & ~(1 << task.slot)
    return _at_next_row(task._replace(todo=left, tries=0, version=0, tag=0, first=0, second=0))


def _after_failed_try(at: _At) -> Move:
    task = at.task
    if task.tries + 1 < at.scenario.tries:
        again = task._replace(step="version", tries=task.tries + 1, version=0, tag=0, first=0, second=0)
        return at.move("reader: row moved, again", task.slot, again)
    failed = task._replace(failed=task.failed | 1 << task.slot)
    return at.move("reader: row moved, to the retry set", task.slot, _after_row(failed))


def _version(at: _At) -> Iterator[Move]:
    slot = at.task.slot
    version = at.segment.rows[slot].version
    if not version or not at.is_different(slot):
        yield at.move("reader: row already seen", slot, _after_row(at.task))
    elif version % 2 and not at.protocol.skips_seqlock:
        if at.protocol.spins_on_odd_row:
            yield at.move("reader: row is odd, waits", slot, at.task)
        else:
            yield _after_failed_try(at)
    else:
        begun = at.task._replace(step="first", version=version, tag=at.tag(slot))
        yield at.move("reader: version read", slot, begun)


def _first(at: _At) -> Iterator[Move]:
    slot = at.task.slot
    read = at.task._replace(step="second", first=at.segment.rows[slot].first)
    yield at.move("reader: first word copied", slot, read)


def _second(at: _At) -> Iterator[Move]:
    slot = at.task.slot
    read = at.task._replace(step="check", second=at.segment.rows[slot].second)
    yield at.move("reader: second word copied", slot, read)


def _check(at: _At) -> Iterator[Move]:
    task = at.task
    if at.segment.rows[task.slot].version == task.version or at.protocol.skips_seqlock:
        copied = put(task.copied, task.slot, Copy(task.tag, task.first, task.second))
        yield at.move("reader: row taken", task.slot, _after_row(task._replace(copied=copied)))
    else:
        yield _after_failed_try(at)


def _evaluate(at: _At) -> Iterator[Move]:
    cycle = at.task.cycle
    yield Move("reader: committed", cycle, _committed(at, is_evaluated=True))
    if at.scenario.failures and any(at.task.copied):
        state = _committed(at, is_evaluated=False) if at.protocol.commits_before_evaluation else at.state
        reader = state.reader._replace(task=None, owes_exact=not at.protocol.forgets_failure)
        yield Move(FAIL, cycle, state._replace(reader=reader))


def _committed(at: _At, is_evaluated: bool) -> ModelState:
    protocol, state, segment, task = at.protocol, at.state, at.segment, at.task
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
