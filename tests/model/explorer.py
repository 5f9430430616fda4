"""Breadth-first exploration of a model: every state once, and a shortest trace to the first broken invariant."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .invariants import EVENTUAL_INVARIANTS, INVARIANTS, STATE_INVARIANTS, STEP_INVARIANTS, is_covered
from .protocol_model import ProtocolModel
from .state import ModelState, Move

Origins = dict[ModelState, tuple[ModelState, Move] | None]


@dataclass(frozen=True)
class Violation:
    """A broken invariant and a shortest trace to it. Where something must come in the end, also the reader's way to
    nowhere."""

    invariant: str
    trace: tuple[Move, ...]
    state: ModelState
    alone: tuple[Move, ...] = ()

    def __str__(self) -> str:
        """One step a line, then what holds after them."""
        lines = [f"{self.invariant} is broken after {len(self.trace)} steps:", *_numbered(self.trace)]
        if self.alone:
            lines += ["  from here on the writer does nothing, and the reader goes round or stops short:"]
            lines += _numbered(self.alone)
        return "\n".join([*lines, *_described(self.alone[-1].state if self.alone else self.state)])


def _numbered(moves: tuple[Move, ...]) -> list[str]:
    width = max((len(move.name) for move in moves), default=0)
    return [f"  {at:>3}  {move.name:<{width}}  {move.subject}" for at, move in enumerate(moves, 1)]


def _described(state: ModelState) -> Iterator[str]:
    for generation, segment in enumerate(state.segments):
        mark = "*" if generation == state.current else " "
        flags = " ".join(f"{mask:0{len(segment.rows)}b}" for mask in segment.flags)
        rows = "  ".join(f"v{row.version} {row.first}/{row.second}" for row in segment.rows)
        head = f"{mark} segment {generation}: closed {segment.closed}, stamps {segment.stamps}"
        yield f"{head}, symbols {segment.symbol_count}, flags {flags}, rows {rows}"
    writer, reader = state.writer, state.reader
    yield f"  writer: cycle {writer.open} open, deferred {writer.deferred:b}, steps left {[*writer.row, *writer.swap]}"
    yield (
        f"  reader: generation {reader.generation}, done {reader.done}, seen {reader.seen}, result {reader.result}, "
        f"retry {reader.retry:b}"
    )


@dataclass(frozen=True)
class Exploration:
    """What was found: the number of states, how often each kind of step was taken, and the first violation."""

    states: int
    steps: Counter[str]
    violation: Violation | None


def explore(model: ProtocolModel, invariants: Iterable[str] = INVARIANTS) -> Exploration:
    """Visit every state, or those up to the first one that breaks one of `invariants`."""
    checked = set(invariants)
    state_checks = [(name, check) for name, check in STATE_INVARIANTS.items() if name in checked]
    step_checks = [(name, check) for name, check in STEP_INVARIANTS.items() if name in checked]
    eventual_checks = [
        (name, _Inevitable(model, moves)) for name, moves in EVENTUAL_INVARIANTS.items() if name in checked
    ]
    initial = model.initial()
    origins: Origins = {initial: None}
    steps: Counter[str] = Counter()
    frontier = [initial]

    def stopped(violation: Violation) -> Exploration:
        return Exploration(len(origins), steps, violation)

    while frontier:
        following: list[ModelState] = []
        for state in frontier:
            for name, holds in state_checks:
                if not holds(model, state):
                    return stopped(Violation(name, _trace(origins, state), state))
            for name, inevitable in eventual_checks:
                alone = inevitable.way_to_nowhere(state)
                if alone is not None:
                    return stopped(Violation(name, _trace(origins, state), state, alone))
            for move in (*model.writer_moves(state), *model.reader_moves(state)):
                steps[move.name] += 1
                for name, keeps in step_checks:
                    if not keeps(state, move.state):
                        return stopped(Violation(name, (*_trace(origins, state), move), move.state))
                if move.state not in origins:
                    origins[move.state] = (state, move)
                    following.append(move.state)
        frontier = following
    return Exploration(len(origins), steps, None)


def _trace(origins: Origins, state: ModelState) -> tuple[Move, ...]:
    trace: list[Move] = []
    while origin := origins[state]:
        state, move = origin
        trace.append(move)
    return tuple(reversed(trace))


class _Inevitable:
    """Whether every way along some of the reader's moves ends in coverage. States known to be good are remembered."""

    def __init__(self, model: ProtocolModel, moves: Callable[[ProtocolModel, ModelState], list[Move]]) -> None:
        self._model = model
        self._moves = moves
        self._good: set[ModelState] = set()

    def way_to_nowhere(self, start: ModelState) -> tuple[Move, ...] | None:
        """A way into a circle or a dead end, if there is one. The search goes depth first, so the way is not always the
        shortest."""
        if self._is_good(start):
            return None
        onward = self._moves(self._model, start)
        if not onward:
            return ()
        way: dict[ModelState, Iterator[Move]] = {start: iter(onward)}
        taken: list[Move] = []
        while way:
            state, moves = next(reversed(way.items()))
            for move in moves:
                if self._is_good(move.state):
                    continue
                onward = self._moves(self._model, move.state)
                if move.state in way or not onward:
                    return (*taken, move)
                way[move.state] = iter(onward)
                taken.append(move)
                break
            else:
                del way[state]
                del taken[-1:]
                self._good.add(state)
        return None

    def _is_good(self, state: ModelState) -> bool:
        return state in self._good or is_covered(state)
