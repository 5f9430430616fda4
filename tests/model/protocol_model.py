"""An exhaustive model of the update protocol: every interleaving of one writer's and one reader's micro-steps.

Memory is sequentially consistent here; what a missing fence would allow is modelled as two steps in the wrong order.
One channel with one bit a word represents all channels, and one reader all readers: no reader writes anything that
another one sees. An event once sent can be received at any later moment or never, which covers drops, duplicates,
reordering, slow readers and the heartbeats that repeat it.
"""

from dataclasses import dataclass, field

from .protocol import Protocol
from .reader import reader_moves
from .scenario import Scenario
from .state import NOTHING_COVERED, ModelReader, ModelState, ModelWriter, Move, empty_segment
from .writer import writer_moves


@dataclass(frozen=True)
class ProtocolModel:
    """A protocol in a scenario. The moves of each state are kept, because several checks need them."""

    scenario: Scenario
    protocol: Protocol = field(default_factory=Protocol)
    _writer_moves: dict[ModelState, list[Move]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _reader_moves: dict[ModelState, list[Move]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def initial(self) -> ModelState:
        """An empty segment, and a reader that has attached to it unless it comes late."""
        slots = len(self.scenario.updates)
        none = (0,) * slots
        return ModelState(
            segments=(empty_segment(slots, self.scenario.symbols),),
            current=0,
            events=frozenset(),
            writer=ModelWriter(1, (), 0, (), 0, self.scenario.updates, self.scenario.switches),
            reader=ModelReader(0, NOTHING_COVERED if self.scenario.late else 0, none, none, 0, False, None),
        )

    def writer_moves(self, state: ModelState) -> list[Move]:
        """The writer's micro-steps from `state`."""
        if (moves := self._writer_moves.get(state)) is None:
            moves = self._writer_moves[state] = writer_moves(self.protocol, self.scenario, state)
        return moves

    def reader_moves(self, state: ModelState) -> list[Move]:
        """The reader's micro-steps from `state`."""
        if (moves := self._reader_moves.get(state)) is None:
            moves = self._reader_moves[state] = list(reader_moves(self.protocol, self.scenario, state))
        return moves
