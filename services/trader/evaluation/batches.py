"""Batches: how many symbols are evaluated at a time."""

from collections.abc import Callable, Iterator

import numpy as np

from tickflag.common.arrays import Slots, Versions
from tickflag.common.protocol.rows import RowReader, Rows
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.services.trader.evaluation.planning.planner import Plan
from tickflag.services.trader.evaluation.results import Tally
from tickflag.services.trader.evaluation.switches import Switches


class Batches:
    """Cuts the symbols of a cycle into chunks.

    A vectorised trader gets at most `chunk` rows a call, so that the rows stay in the processor's cache.

    A per-symbol trader gets a cycle as a whole, unless the cycle has more symbols than `batch_symbols`, or more than
    `batch_share` of all. Such a cycle runs in batch mode: in chunks of `batch_chunk`. Between two chunks the worker
    serves control messages, heartbeat and deadline. With batch mode switched off no cycle is interrupted.
    """

    def __init__(self, vectorised: bool, settings: TraderBlock, switches: Switches) -> None:
        self._vectorised, self._settings, self._switches = vectorised, settings, switches
        self.most = settings.chunk if vectorised else max(settings.batch_symbols, settings.batch_chunk)
        """The most rows that are read at once."""

    def chunk(self, symbols: int, of: int) -> int:
        """How many symbols to evaluate at a time, in a cycle with `symbols`; a pass over everything would have `of`."""
        settings = self._settings
        if (
            self._vectorised
            or not self._switches.batches
            or (symbols <= settings.batch_symbols and symbols <= settings.batch_share * of)
        ):
            return self.most
        return settings.batch_chunk

    def read(
        self, plan: Plan, chunk: int, rows: RowReader, tally: Tally, between: Callable[[], None]
    ) -> Iterator[Rows]:
        """The plan's rows, `chunk` at a time; `between` is called between two chunks."""
        slots = plan.take.slots
        tally.batched += self._switches.batches
        for start in range(0, len(slots), chunk):
            if start and self._switches.batches:
                between()
            if start == 0 and plan.first is not None and chunk == rows.limit:
                yield plan.first
            else:
                yield rows.read(slots[start : start + chunk])


class Gathered:
    """Slots and both versions of the chunks of one step, in one array each."""

    def __init__(self, capacity: int) -> None:
        self._slots: Slots = np.zeros(capacity, np.int32)
        self._versions: Versions = np.zeros(capacity, np.int64)
        self._row_versions: Versions = np.zeros(capacity, np.int64)
        self.count = 0

    def clear(self) -> None:
        """Begin another step. What was gathered before is overwritten."""
        self.count = 0

    def add(self, rows: Rows) -> None:
        """Append the slots and both versions of a processed chunk."""
        end = self.count + len(rows.slots)
        self._slots[self.count : end] = rows.slots
        self._versions[self.count : end] = rows.versions
        self._row_versions[self.count : end] = rows.row_versions
        self.count = end

    @property
    def slots(self) -> Slots:
        return self._slots[: self.count]

    @property
    def versions(self) -> Versions:
        return self._versions[: self.count]

    @property
    def row_versions(self) -> Versions:
        return self._row_versions[: self.count]
