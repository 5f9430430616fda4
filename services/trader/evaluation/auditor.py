"""Auditor: compares what a trader holds with an evaluation of all symbols, and looks for changes nobody announced."""

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tickflag.common.arrays import Floats, Slots, Versions
from tickflag.common.protocol.cycles import select_changed
from tickflag.common.protocol.heartbeat import last_beat
from tickflag.common.protocol.reader import ChannelReader
from tickflag.common.protocol.rows import Rows
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory

ROUNDING = 1e-9  # of a score: among other rows numpy may add up in another order


class Findings(NamedTuple):
    """What one audit found."""

    symbols: int
    """How many symbols were compared."""
    pending: int
    """How many symbols changed since they were evaluated."""
    wrong: list[str]
    """The symbols whose result differs although their row is the same."""
    whole: bool = True
    """The audit read and evaluated every row, so its time can be compared with that of a cycle."""


class Auditor:
    """Audits one trader in one generation. One thread; changes nothing that the trader's cycles use.

    A symbol is *pending* while its version is not the one evaluated last: its flag may be on the way. A pending symbol
    is *unseen* when three things hold: `grace_ns` (rate limit, two swaps and the trader's pace) have passed since the
    auditor found the symbol; the feed gave a sign of life after that; and the trader has covered every announced cycle.
    """

    def __init__(self, segment: Segment, reader: ChannelReader, directory: SymbolDirectory, grace_ns: int) -> None:
        self._living = segment.arrays.living
        self._reader, self._directory, self._grace_ns = reader, directory, grace_ns
        self._slots: Slots = np.zeros(segment.layout.capacity, np.int32)
        # An interval's channel counts closes, while prices and forming candle of the row move on: so only rows in which
        # nothing moved are compared. By slot: the version of the row evaluated last, 0 for one not to compare.
        self._rows_evaluated: Versions | None = np.zeros_like(reader.seen) if reader.channel else None
        self._pending: dict[int, tuple[int, int]] = {}  # slot -> when it was found, version evaluated last at that time
        self._accused: set[int] = set()

    def everyone(self) -> Slots:
        """The slots of all watched symbols that hold data."""
        return self._selected(True)

    def note_evaluated(self, slots: Slots, row_versions: Versions, references_moved: bool) -> None:
        """Note the rows of a step that succeeded. Where a reference's row moved, those of former steps, which saw
        another one, are not to be compared."""
        if self._rows_evaluated is not None:
            if references_moved:
                self._rows_evaluated[:] = 0
            self._rows_evaluated[slots] = row_versions

    def note_pending(self, clock: Callable[[], int]) -> int:
        """Note which symbols are pending; gives how many. `clock` is the monotonic clock."""
        seen, known = self._reader.seen, self._pending
        slots = self._selected(False).tolist()
        now_ns = clock()  # after the search: every change that it found was written before this time
        self._pending = {}
        for slot in slots:
            found = known.get(slot)
            stands_at = int(seen[slot])
            self._pending[slot] = found if found is not None and found[1] == stands_at else (now_ns, stands_at)
        self._accused.intersection_update(slots)
        return len(slots)

    def unseen(self) -> list[str]:
        """The unseen symbols, each given once; none while the trader has not covered every announced cycle."""
        if not self._pending:
            return []
        beat_ns = last_beat(self._living)  # before `closed`: what was due by then is announced
        reader = self._reader
        if reader.observe()[0] != reader.done or reader.owes_exact:
            return []
        stuck = [
            slot
            for slot, (found_ns, stood_at) in self._pending.items()
            if found_ns + self._grace_ns <= beat_ns and reader.seen[slot] == stood_at != reader.versions[slot]
        ]
        names = [self._directory.names[slot] for slot in stuck if slot not in self._accused]
        self._accused.update(stuck)
        return names

    def compared(self, rows: Rows, scores: Floats, committed: Floats) -> tuple[int, list[str]]:
        """How many of `rows` are as they were evaluated last, and which of these differ in `scores` from `committed`.

        `committed` is by slot; NaN is no match.
        """
        same = rows.versions == self._reader.seen[rows.slots]
        if self._rows_evaluated is not None:
            same &= rows.row_versions == self._rows_evaluated[rows.slots]
        return int(same.sum()), self.different(rows.slots[same], scores[same], committed)

    def different(self, slots: Slots, scores: Floats, committed: Floats) -> list[str]:
        """The symbols of `slots` whose `scores` differ from `committed`, which is by slot."""
        held = committed[slots]
        equal = np.isclose(scores, held, rtol=ROUNDING, atol=0.0, equal_nan=True)
        return [self._directory.names[slot] for slot in slots[~equal].tolist()]

    def _selected(self, everything: bool) -> Slots:
        reader, count = self._reader, len(self._directory)
        n = select_changed(count, reader.versions, reader.seen, reader.watched, everything, self._slots)
        return self._slots[:n].copy()


class Sampler:
    """Chooses the cycles to audit: a random one of every 100 / `share` cycles, within a budget of time."""

    def __init__(self, share: float, budget: float, chance: random.Random) -> None:
        """`share` is in percent of the cycles; `budget` is a part of the time, 1 being all of it."""
        self._every = 100.0 / share if share > 0 else 0.0
        self._budget, self._chance = budget, chance
        self._place = chance.uniform(0.0, self._every)  # position of the chosen cycle in its block
        self._left = self._place  # cycles until the chosen one
        self._not_before_ns = 0

    def wants(self, now_ns: int) -> bool:
        """Whether this cycle is to be audited. Ask once a cycle."""
        if not self._every:
            return False
        self._left -= 1.0
        if self._left > 0:
            return False
        if now_ns < self._not_before_ns:
            self._left = 1.0  # ask again at each cycle until the budget allows one; skipped audits are not made up for
            return False
        rest = self._every - self._place
        self._place = self._chance.uniform(0.0, self._every)
        self._left += rest + self._place
        return True

    def spent(self, now_ns: int, took_ns: int) -> None:
        """Note that an audit began at `now_ns` and took `took_ns`."""
        self._not_before_ns = now_ns + int(took_ns / self._budget)
