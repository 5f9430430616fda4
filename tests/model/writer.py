"""The writer's micro-steps: an update, a close, a deferred announcement, a switch of generations.

An update and a swap are programs: the names of the steps still to do. Wrong turns mostly reorder a program, so the
rules for starting one speak of the steps left: a swap may start once the flag is set, an update once the next cycle is
open. In the true order the flag is the last step of an update, and the opening the last step of a swap.
"""

from collections.abc import Iterator

from .events import under_way
from .protocol import Protocol
from .scenario import Scenario
from .state import Event, ModelSegment, ModelState, ModelWriter, Move, Row, empty_segment, put, put_pair

ROW_WAITS_FOR = frozenset({"open", "copy", "publish"})


def writer_moves(protocol: Protocol, scenario: Scenario, state: ModelState) -> list[Move]:
    """Every micro-step that the writer can take. Only the wrong turn that waits for the reader asks for its state."""
    writer = state.writer
    moves: list[Move] = []
    if writer.row:
        moves += _row_step(protocol, scenario, state, writer.symbol, writer.row)
    elif ROW_WAITS_FOR.isdisjoint(writer.swap):
        segment = state.segments[-1]
        for symbol, left in enumerate(writer.updates):
            if left and symbol <= segment.symbol_count:
                begun = writer._replace(updates=put(writer.updates, symbol, left - 1))
                steps = update_program(protocol, is_new=symbol == segment.symbol_count)
                moves += _row_step(protocol, scenario, state._replace(writer=begun), symbol, steps)
    if writer.swap:
        moves += _swap_step(protocol, state, writer.swap)
    elif "mark" not in writer.row:
        moves += _begin_swap(protocol, state)
    return moves


def is_finished(state: ModelState) -> bool:
    """Whether nothing is left to do for the writer, now or later."""
    return is_quiet(state) and not any(state.writer.updates) and not state.writer.switches


def is_quiet(state: ModelState) -> bool:
    """Whether the writer is between two pieces of work and owes no announcement."""
    writer = state.writer
    return not (writer.row or writer.swap or writer.deferred or state.segments[-1].flags[writer.open % 2])


def update_program(protocol: Protocol, is_new: bool) -> tuple[str, ...]:
    """The steps of an update."""
    steps: tuple[str, ...]
    if protocol.flags_before_row:
        steps = ("mark", "odd", "first", "second", "even")
    elif protocol.flags_while_odd:
        steps = ("odd", "mark", "first", "second", "even")
    else:
        steps = ("odd", "first", "second", "even", "mark")
    if is_new:
        return (*steps, "count") if protocol.counts_after_flag else ("count", *steps)
    return steps


def close_program(protocol: Protocol, slots: int) -> tuple[str, ...]:
    """The steps from a full write buffer to the next open cycle."""
    publish = ("stamp", "send", "closed") if protocol.sends_before_closing else ("stamp", "closed", "send")
    clears = tuple(f"clear {symbol}" for symbol in range(slots))
    if protocol.never_invalidates or protocol.returns_cleared_buffer:
        return (*publish, *clears, "open")
    if protocol.clears_before_invalidating:
        return (*publish, *clears, "invalidate", "open")
    if protocol.clears_after_opening:
        return (*publish, "open", "invalidate", *clears)
    return (*publish, "invalidate", *clears, "open")


def _row_step(
    protocol: Protocol, scenario: Scenario, state: ModelState, symbol: int, steps: tuple[str, ...]
) -> Iterator[Move]:
    step, left = steps[0], steps[1:]
    writer = state.writer._replace(row=left, symbol=symbol if left else 0)
    segment = state.segments[-1]
    row = segment.rows[symbol]
    bit = 1 << symbol
    if step == "mark":
        update = row.first + 1 if "first" in left else row.first
        looked_at = writer.open + protocol.takes_announced_flag
        if segment.flags[looked_at % 2] & bit:  # the cycle closes after this update, with that flag
            marked = segment._replace(marks=put(segment.marks, symbol, update))
            yield Move("writer: flag stands", symbol, _with(state, writer, marked))
            return
        if scenario.rate_limit:
            later = writer._replace(deferred=writer.deferred | bit)
            yield Move("writer: announcement deferred", symbol, state._replace(writer=later))
        announced = writer._replace(deferred=writer.deferred & ~bit)
        yield Move("writer: flag set", symbol, _with(state, announced, _flagged(segment, writer.open, symbol, update)))
    elif step == "count":
        counted = segment._replace(symbol_count=symbol + 1)
        yield Move("writer: new symbol counted", symbol, _with(state, writer, counted))
    else:
        if step == "odd":
            name, row = "writer: version odd", row._replace(version=row.version + 1)
        elif step == "first":
            name, row = "writer: first word", row._replace(first=row.first + 1)
        elif step == "second":
            name, row = "writer: second word", row._replace(second=row.first)
        else:
            name, row = "writer: version even", row._replace(version=row.version + 1)
            if protocol.remembers_cycles:
                segment = segment._replace(cycles=put(segment.cycles, symbol, writer.open))
        yield Move(name, symbol, _with(state, writer, segment._replace(rows=put(segment.rows, symbol, row))))


def _begin_swap(protocol: Protocol, state: ModelState) -> Iterator[Move]:
    writer = state.writer
    segment = state.segments[-1]
    close = close_program(protocol, len(segment.rows))
    is_dirty = bool(segment.flags[writer.open % 2])
    if is_dirty:
        yield from _swap_step(protocol, state, close)
    if writer.row:
        return
    for symbol, row in enumerate(segment.rows):
        if writer.deferred >> symbol & 1:
            announced = writer._replace(deferred=writer.deferred & ~(1 << symbol))
            flagged = _flagged(segment, writer.open, symbol, row.first)
            yield Move("writer: deferred announcement made", symbol, _with(state, announced, flagged))
    if writer.deferred and protocol.forgets_deferred:
        yield Move("writer: rate limit off", writer.open, state._replace(writer=writer._replace(deferred=0)))
    if writer.switches:
        begun = state._replace(writer=writer._replace(switches=writer.switches - 1))
        last: tuple[str, ...] = ("publish", "copy") if protocol.publishes_before_copying else ("copy", "publish")
        flush = ("flush",) if writer.deferred else ()
        if is_dirty or (writer.deferred and not protocol.drops_deferred_at_switch):
            last = (*close, *last)
        yield from _swap_step(protocol, begun, (*flush, *last))


def _swap_step(protocol: Protocol, state: ModelState, steps: tuple[str, ...]) -> Iterator[Move]:
    step, left = steps[0], steps[1:]
    writer = state.writer._replace(swap=left)
    cycle = writer.open
    segment = state.segments[-1]
    fresh = (cycle + 1 if "open" in left or step == "open" else cycle) % 2
    if step == "stamp":
        offered = protocol.read_buffer(cycle)
        stamped = segment._replace(
            stamps=put_pair(segment.stamps, offered, protocol.stamp_of(cycle)),
            frozen=put_pair(segment.frozen, offered, segment.flags[offered]),
        )
        yield Move("writer: stamp set", cycle, _with(state, writer, stamped))
    elif step == "closed":
        closed = segment._replace(closed=cycle, ledger=(*segment.ledger, segment.marks))
        yield Move("writer: closed", cycle, _with(state, writer, closed))
    elif step == "send":
        event = Event(len(state.segments) - 1, cycle, segment.symbol_count)
        sent = state._replace(writer=writer, events=under_way(protocol, state.reader, state.events | {event}))
        yield Move("writer: event sent", cycle, sent)
    elif step == "invalidate":
        if not protocol.waits_for_reader or state.reader.done >= cycle - 1:
            stamps, frozen = put_pair(segment.stamps, fresh, 0), put_pair(segment.frozen, fresh, 0)
            invalid = segment._replace(stamps=stamps, frozen=frozen)
            yield Move("writer: next buffer's stamp invalid", cycle + 1, _with(state, writer, invalid))
    elif step == "open":
        yield Move("writer: cycle open", cycle + 1, state._replace(writer=writer._replace(open=cycle + 1)))
    elif step == "flush":
        for symbol, row in enumerate(segment.rows):
            if writer.deferred >> symbol & 1 and not protocol.drops_deferred_at_switch:
                segment = _flagged(segment, cycle, symbol, row.first)
        yield Move("writer: pending announcements", cycle, _with(state, writer._replace(deferred=0), segment))
    elif step == "copy":
        yield Move("writer: new generation copied", len(state.segments), _copied(protocol, state, writer))
    elif step == "publish":
        published = state._replace(writer=writer, current=len(state.segments) - (not protocol.publishes_before_copying))
        if protocol.publishes_before_copying:
            blank = empty_segment(len(segment.rows), 0)
            published = published._replace(segments=(*state.segments, blank))
        yield Move("writer: `current` replaced", published.current, published)
    else:
        symbol = int(step.removeprefix("clear "))
        flags = put_pair(segment.flags, fresh, segment.flags[fresh] & ~(1 << symbol))
        cleared = segment._replace(flags=flags)
        yield Move("writer: next buffer's flag cleared", symbol, _with(state, writer, cleared))


def _copied(protocol: Protocol, state: ModelState, writer: ModelWriter) -> ModelState:
    """The new generation with the rows of the old one. Versions begin anew, the hardest case for a reader."""
    segments = state.segments[:-1] if protocol.publishes_before_copying else state.segments
    old = segments[-1]
    rows = tuple(Row(2, row.first, row.second) if row.version else row for row in old.rows)
    held = tuple(row.first for row in rows)
    new = empty_segment(len(rows), old.symbol_count)._replace(rows=rows, marks=held, ledger=(held,))
    return state._replace(segments=(*segments, new), writer=writer._replace(open=1))


def _flagged(segment: ModelSegment, cycle: int, symbol: int, update: int) -> ModelSegment:
    buffer = cycle % 2
    flags = put_pair(segment.flags, buffer, segment.flags[buffer] | 1 << symbol)
    return segment._replace(flags=flags, marks=put(segment.marks, symbol, update))


def _with(state: ModelState, writer: ModelWriter, segment: ModelSegment) -> ModelState:
    return state._replace(writer=writer, segments=(*state.segments[:-1], segment))
