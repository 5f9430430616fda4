"""Ranking: asks a trader with scope `market` about every row whenever any row changed."""

from collections.abc import Callable

import numpy as np

from tickflag.common.arrays import ByteMask, Floats, Slots
from tickflag.common.protocol.rows import RowReader
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.services.trader.evaluation.assembly import TraderParts
from tickflag.services.trader.evaluation.auditor import Auditor
from tickflag.services.trader.evaluation.matches import NO_NOTES
from tickflag.services.trader.evaluation.outcome import Comparison, Outcome
from tickflag.services.trader.evaluation.planning.planner import Plan


class Ranking:
    """Evaluates the mirror that `rows` keeps. Only watched symbols (`watched`, a byte a slot) may match. One thread."""

    def __init__(self, parts: TraderParts, rows: RowReader, directory: SymbolDirectory, watched: ByteMask) -> None:
        self._plugin, self._switches = parts.plugin, parts.switches
        self._rows, self._directory, self._watched = rows, directory, watched
        self._held = np.zeros(len(watched), np.bool_)  # by slot: the symbol has data in the mirror
        self._scores: Floats = np.full(len(watched), np.nan)

    def evaluate(self, plan: Plan, time_ns: int, _between: Callable[[], None]) -> Outcome:
        """The scores of all symbols that hold data; of none where no row of the plan could be read."""
        rows = plan.first or self._rows.read(plan.take.slots)  # all at once: a mirror has room for all
        slots, versions = rows.slots, rows.versions
        if not len(slots):
            return Outcome(slots, versions, slots, self._scores[:0], NO_NOTES, 0, rows.row_versions)
        self._held[slots] = True
        notes = self._ask(plan.take.symbols, time_ns)
        return Outcome(slots, versions, *self._judged(plan.take.symbols), notes, 0, rows.row_versions)

    def compare(self, auditor: Auditor, committed: Floats, time_ns: int, _between: Callable[[], None]) -> Comparison:
        """Ask again about the present mirror, without reading rows."""
        count = len(self._directory)
        self._ask(count, time_ns)
        slots, scores = self._judged(count)
        return Comparison(len(slots), auditor.different(slots, scores, committed), whole=False)

    def _ask(self, count: int, time_ns: int) -> dict[int, str]:
        """Evaluate the first `count` slots of the mirror into `_scores`; gives the notes by slot."""
        names, rows = self._directory.names, self._rows.mirrored(count)
        return self._plugin.evaluate(
            rows, lambda: names[:count], time_ns, self._scores[:count], flags=self._switches.own
        )

    def _judged(self, count: int) -> tuple[Slots, Floats]:
        """Those of the first `count` slots that hold data, and their scores; NaN for symbols that may not match."""
        slots = np.flatnonzero(self._held[:count]).astype(np.int32)
        return slots, np.where(self._watched[slots] != 0, self._scores[slots], np.nan)
