"""SymbolEvaluation: asks a trader about the symbols that changed, in chunks where there are many."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from tickflag.common.arrays import Floats
from tickflag.common.protocol.reader import ChannelReader
from tickflag.common.protocol.rows import RowReader, Rows
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.services.trader.evaluation.assembly import TraderParts
from tickflag.services.trader.evaluation.auditor import Auditor
from tickflag.services.trader.evaluation.batches import Batches, Gathered
from tickflag.services.trader.evaluation.missed_closes import MissedCloses
from tickflag.services.trader.evaluation.outcome import Comparison, Outcome
from tickflag.services.trader.evaluation.planning.planner import Plan
from tickflag.services.trader.evaluation.planning.references import NoReferences, References

_Judged: TypeAlias = tuple[Rows, Floats, dict[int, str], int]
"""Of one chunk: its rows, their scores, the notes by slot, and how many closes the ring had lost."""


class SymbolEvaluation:
    """Scores a plan's symbols. `closes` is given for a trader that wants each candle that closed. One thread."""

    def __init__(
        self,
        parts: TraderParts,
        reader: ChannelReader,
        rows: RowReader,
        directory: SymbolDirectory,
        batches: Batches,
        references: References | NoReferences,
        closes: MissedCloses | None,
    ) -> None:
        self._plugin, self._switches, self._tally, self._state = parts.plugin, parts.switches, parts.tally, parts.state
        self._reader, self._rows, self._directory = reader, rows, directory
        self._batches, self._references = batches, references
        self._judge = self._judge_rows if closes is None else partial(self._judge_each_close, closes)
        self._scores: Floats = np.full(len(reader.seen), np.nan)
        self._gathered = Gathered(len(reader.seen))

    def evaluate(self, plan: Plan, time_ns: int, between: Callable[[], None]) -> Outcome:
        """The scores of the plan's symbols whose rows could be read."""
        wanted = plan.take.slots
        chunk = self._batches.chunk(len(wanted), self._reader.covered)
        if len(wanted) > chunk:
            return self._evaluate_chunks(plan, chunk, time_ns, between)
        rows, scores, notes, gaps = self._judge(plan.first or self._rows.read(wanted), self._scores, time_ns)
        return Outcome(rows.slots, rows.versions, rows.slots, scores, notes, gaps, rows.row_versions)

    def compare(self, auditor: Auditor, committed: Floats, time_ns: int, between: Callable[[], None]) -> Comparison:
        """Evaluate all symbols on their present rows; compare those whose row is still the one evaluated last."""
        symbols, different = 0, []
        slots = auditor.everyone()
        chunk = self._batches.chunk(len(slots), self._reader.covered)
        for start in range(0, len(slots), chunk):
            if start:
                between()
            rows = self._rows.read(slots[start : start + chunk])
            scores = self._scores[: len(rows.slots)]
            if len(rows.slots):
                self._state.begin(rows.slots, rows.versions, self._reader.seen)
                self._ask(rows, scores, time_ns, keep=False)
            same, others = auditor.compared(rows, scores, committed)
            symbols += same
            different += others
        return Comparison(symbols, different, whole=True)

    def _evaluate_chunks(self, plan: Plan, chunk: int, time_ns: int, between: Callable[[], None]) -> Outcome:
        done, notes, gaps = self._gathered, dict[int, str](), 0
        done.clear()
        for rows in self._batches.read(plan, chunk, self._rows, self._tally, between):
            judged, _, more_notes, more_gaps = self._judge(rows, self._scores[done.count :], time_ns)
            done.add(judged)
            notes |= more_notes
            gaps += more_gaps
        return Outcome(
            done.slots, done.versions, done.slots, self._scores[: done.count], notes, gaps, done.row_versions
        )

    def _judge_rows(self, rows: Rows, out: Floats, time_ns: int) -> _Judged:
        """Evaluate `rows`; the scores go to the beginning of `out`."""
        n = len(rows.slots)
        scores = out[:n]
        if not n:
            return rows, scores, {}, 0
        self._state.begin(rows.slots, rows.versions, self._reader.seen)
        return rows, scores, self._ask(rows, scores, time_ns), 0

    def _judge_each_close(self, closes: MissedCloses, rows: Rows, out: Floats, time_ns: int) -> _Judged:
        """As `_judge_rows`, once for each missed close; the scores and notes are those of the last close."""
        seen = self._reader.seen
        if not closes.missed(rows, seen):
            return self._judge_rows(rows, out, time_ns)
        rows = closes.read(rows.slots)
        self._state.begin(rows.slots, rows.versions, seen)
        notes: dict[int, str] = {}
        for window in closes.windows(rows, seen):  # the last window has all rows, and its answer counts
            notes = self._ask(window, out[: len(window.slots)], time_ns)
        return rows, out[: len(rows.slots)], notes, closes.lost(rows, seen)

    def _ask(self, rows: Rows, out: Floats, time_ns: int, keep: bool = True) -> dict[int, str]:
        """Write the scores of `rows` to `out`; gives the notes by slot.

        What the trader remembers is kept for the commit; with `keep` off it is dropped.
        """
        names, slots = self._directory.names, rows.slots
        numbers = self._state.lend(slots)
        notes = self._plugin.evaluate(
            rows, lambda: [names[slot] for slot in slots], time_ns, out,
            numbers, self._references.symbols, self._switches.own,
        )  # fmt: skip
        if keep:
            self._state.take_back(slots, numbers)
        return {int(slots[place]): note for place, note in notes.items()} if notes else notes
