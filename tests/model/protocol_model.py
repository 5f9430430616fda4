"""An exhaustive model of the update protocol: every interleaving of one writer's and one reader's micro-steps.

Memory is sequentially consistent here; what a missing fence would allow is modelled as two steps in the wrong order. One channel
with one bit a word stands for all, and one reader for all: readers write nothing anyone else sees. An event once sent can be
taken at any later moment or never, which covers drops, duplicates, reordering, heartbeats that repeat it, and slow readers.
"""

from dataclasses import dataclass, field

from .protocol import Protocol
from .reader import reader_moves
from .scenario import Scenario
from .state import NOTHING_COVERED, Move, Reader, State, Writer, empty_segment
from .writer import writer_moves


@dataclass(frozen=True)
class Model:
    """A protocol in a scenario."""

    scenario: Scenario
    protocol: Protocol = field(default_factory=Protocol)

    def initial(self) -> State:
        """An empty segment, and a reader that has seen it unless it comes late."""
        slots = len(self.scenario.updates)
        none = (0,) * slots
        return State(
            segments=(empty_segment(slots, self.scenario.symbols),),
            current=0,
            events=frozenset(),
            writer=Writer(1, (), 0, (), 0, self.scenario.updates, self.scenario.switches),
            reader=Reader(0, NOTHING_COVERED if self.scenario.late else 0, none, none, 0, False, None),
        )

    def writer_moves(self, state: State) -> list[Move]:
        """The writer's micro-steps from `state`."""
        return writer_moves(self.protocol, self.scenario, state)

    def reader_moves(self, state: State) -> list[Move]:
        """The reader's micro-steps from `state`."""
        return list(reader_moves(self.protocol, self.scenario, state))
