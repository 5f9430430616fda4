"""Auditor: compares what a trader holds with an evaluation of all symbols, and looks for changes nobody announced."""

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from common.atomics import load_acquire
from common.layout import HEARTBEAT
from common.rows import Rows
from common.segment import Segment
from common.swap import ChannelReader, select_changed
from common.symbols import SymbolDirectory
from services.trader.matches import Floats, Slots

ROUNDING = 1e-9  # of a score: numpy may add up in another order where the rows are others


class Findings(NamedTuple):
    """What one audit found."""

    symbols: int
    """Compared."""
    pending: int
    """Symbols that changed since they were evaluated."""
    wrong: list[str]
    """Another result for the same version of the row."""
    whole: bool = True
    """Every row was read and evaluated, so that the time it took can be compared with that of a cycle."""


class Auditor:
    """Looks at one trader in one generation. One thread; changes nothing that the trader's cycles use.

    A symbol whose version is not the one evaluated last is *pending*: its flag may be on the way. It is *unseen* if it
    still was not evaluated when it must have been: `grace_ns` after it was found, which is rate limit, two swaps and
    the trader's pace, with a sign of life of the feed later than that and every announced cycle covered.
    """

    def __init__(self, segment: Segment, reader: ChannelReader, directory: SymbolDirectory, grace_ns: int) -> None:
        self._living = segment.arrays.living
        self._reader, self._directory, self._grace_ns = reader, directory, grace_ns
        self._slots: Slots = np.zeros(segment.layout.capacity, np.int32)
        self._pending: dict[int, tuple[int, int]] = {}  # slot -> when it was found, the version evaluated last then
        self._accused: set[int] = set()

    def everyone(self) -> Slots:
        """The watched symbols that hold data."""
        return self._selected(True)

    def note_pending(self, clock: Callable[[], int]) -> int:
        """Look which symbols are pending; gives how many. `clock` is the monotonic one."""
        seen, known = self._reader.seen, self._pending
        slots = self._selected(False).tolist()
        now_ns = clock()  # after the look: what it found was written before
        self._pending = {}
        for slot in slots:
            found = known.get(slot)
            stands_at = int(seen[slot])
            self._pending[slot] = found if found is not None and found[1] == stands_at else (now_ns, stands_at)
        self._accused.intersection_update(slots)
        return len(slots)

    def unseen(self) -> list[str]:
        """The symbols that are unseen, each told once. Nothing is said while announced cycles are not covered."""
        if not self._pending:
            return []
        beat_ns = int(load_acquire(self._living, HEARTBEAT))  # before `closed`: what was due by then is announced
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
        """How many of `rows` are of the version evaluated last, and those of them whose `scores` are others than then.

        `committed` are by slot; NaN is no match.
        """
        same = rows.versions == self._reader.seen[rows.slots]
        return int(same.sum()), self.different(rows.slots[same], scores[same], committed)

    def different(self, slots: Slots, scores: Floats, committed: Floats) -> list[str]:
        """The symbols whose `scores` are not those committed, by slot."""
        held = committed[slots]
        equal = np.isclose(scores, held, rtol=ROUNDING, atol=0.0, equal_nan=True)
        return [self._directory.names[slot] for slot in slots[~equal].tolist()]

    def _selected(self, everything: bool) -> Slots:
        reader, count = self._reader, len(self._directory)
        n = select_changed(count, reader.versions, reader.seen, reader.watched, everything, self._slots)
        return self._slots[:n].copy()


class Sampler:
    """Which cycles are audited: of each so many one by chance, as the share says, within a budget of time."""

    def __init__(self, share: float, budget: float, chance: random.Random) -> None:
        """`share` in percent of the cycles, `budget` as a part of the time."""
        self._every = 100.0 / share if share > 0 else 0.0
        self._budget, self._chance = budget, chance
        self._place = chance.uniform(0.0, self._every)  # of the chosen cycle in its block
        self._left = self._place  # cycles until then
        self._not_before_ns = 0

    def wants(self, now_ns: int) -> bool:
        """This cycle is to be audited. Ask once a cycle."""
        if not self._every:
            return False
        self._left -= 1.0
        if self._left > 0:
            return False
        if now_ns < self._not_before_ns:
            self._left = 1.0  # as soon as the budget allows it; what was put off is not made up for
            return False
        rest = self._every - self._place
        self._place = self._chance.uniform(0.0, self._every)
        self._left += rest + self._place
        return True

    def spent(self, now_ns: int, took_ns: int) -> None:
        """An audit that began at `now_ns` took so long."""
        self._not_before_ns = now_ns + int(took_ns / self._budget)
