"""MatchSet: the symbols that match, their scores, and what a cycle changes in them.

Within a generation scores are kept by slot. When another generation begins, matches are carried over by name, and each
is stale until its symbol has been evaluated there.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tickflag.common.arrays import Floats, Slots
from tickflag.common.jit import direct
from tickflag.services.trader.evaluation.match_kernels import settle

NO_NOTES: Mapping[int, str] = {}


class MatchChange(NamedTuple):
    """What one cycle changed."""

    entered: dict[str, float]
    left: list[str]
    moved: dict[str, float]
    woken: bool
    """A stale match became live or left."""
    notes: dict[str, str]
    """The notes on the symbols that entered or moved, by name."""

    def is_empty(self) -> bool:
        """Nothing entered, left or moved."""
        return not (self.entered or self.left or self.moved)


UNCHANGED = MatchChange({}, [], {}, False, {})


def entry_bytes(name: str) -> int:
    """Bytes that one match takes in a msgpack map: name and float."""
    return _text_bytes(name) + 9


def note_bytes(name: str, note: str) -> int:
    """Bytes that one note takes in a msgpack map: name and text."""
    return _text_bytes(name) + _text_bytes(note)


def _text_bytes(text: str) -> int:
    length = len(text.encode())
    return length + (1 if length < 32 else 2 if length < 256 else 3)


class MatchSet:
    """The committed matches of one trader."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._scores: Floats = np.full(0, np.nan)
        self._carried: dict[str, float] = {}  # from an older generation, without a slot yet
        self._work = tuple(np.zeros(0, np.int64) for _ in range(3))
        self._settle = direct(settle, np.zeros(0, np.int32), self._scores, self._scores, *self._work)
        self.stale: set[str] = set()
        self.notes: dict[str, str] = {}
        """The notes of the matches that have one, by name, as of the match's last change."""
        self.count = 0
        self.entries_bytes = 0
        """Bytes that the entries of all matches and notes take in a full result."""

    @property
    def by_slot(self) -> Floats:
        """The committed scores, NaN where a symbol does not match. Not to be changed."""
        return self._scores

    def begin_generation(self, capacity: int, names: list[str]) -> None:
        """Carry the matches over by name. `names` are the new generation's symbols by slot: the directory's own list,
        which grows."""
        matches = self.scores()
        self._carried = matches
        self.stale = set(matches)
        self._names = names
        self._scores = np.full(capacity, np.nan)
        self._work = tuple(np.zeros(capacity, np.int64) for _ in range(3))

    def restore(self, matches: Mapping[str, float], notes: Mapping[str, str]) -> None:
        """Begin with a predecessor's matches and notes, stale until evaluated. Call it before the first generation."""
        self._carried = dict(matches)
        self.notes = {symbol: note for symbol, note in notes.items() if symbol in matches}
        self.count = len(matches)
        self.entries_bytes = sum(map(entry_bytes, matches)) + sum(note_bytes(*item) for item in self.notes.items())

    def place(self, first: int) -> None:
        """Give carried matches their slots. The symbols from slot `first` on are new in the directory."""
        if self._carried:
            for slot in range(first, len(self._names)):
                score = self._carried.pop(self._names[slot], None)
                if score is not None:
                    self._scores[slot] = score

    def settle(self, slots: Slots, scores: Floats, notes: Mapping[int, str] = NO_NOTES) -> MatchChange:
        """Commit `scores` (NaN: no match) and notes for `slots`; gives what changed."""
        entered, left, moved = self._work
        e, x, m = self._settle(slots, scores, self._scores, entered, left, moved)
        if not (e or x or m or self.stale):
            return UNCHANGED
        names = self._names
        change = MatchChange(
            {names[slots[i]]: float(scores[i]) for i in entered[:e]} if e else {},
            [names[slots[i]] for i in left[:x]] if x else [],
            {names[slots[i]]: float(scores[i]) for i in moved[:m]} if m else {},
            bool(self.stale) and self._wake({names[slot] for slot in slots}),
            {names[slots[i]]: notes[slots[i]] for i in (*entered[:e], *moved[:m]) if slots[i] in notes}
            if notes
            else {},
        )
        if (self.notes or notes) and (e or x or m):
            self._annotate(change)
        if e or x:
            self.count += e - x
            self.entries_bytes += sum(map(entry_bytes, change.entered)) - sum(map(entry_bytes, change.left))
        return change

    def _annotate(self, change: MatchChange) -> None:
        """Replace the notes of the matches that changed: a note lasts until its match changes."""
        for name in (*change.entered, *change.left, *change.moved):
            note = self.notes.pop(name, None)
            if note is not None:
                self.entries_bytes -= note_bytes(name, note)
        self.notes.update(change.notes)
        self.entries_bytes += sum(note_bytes(*item) for item in change.notes.items())

    def _wake(self, evaluated: set[str]) -> bool:
        """Make the stale matches among the `evaluated` live; True where there was one."""
        woken = bool(self.stale & evaluated)
        self.stale -= evaluated
        return woken

    def scores(self) -> dict[str, float]:
        """The scores of all matches by name, those carried over included."""
        held = np.flatnonzero(~np.isnan(self._scores))
        return {self._names[slot]: float(self._scores[slot]) for slot in held} | self._carried
