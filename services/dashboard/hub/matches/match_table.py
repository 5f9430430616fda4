"""MatchTable: all matches of all traders as columns, kept from a snapshot and the signals after it."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tickflag.services.dashboard.hub.matches.names import Names

SHOWN_MS = 5_000
"""How long a match that entered is marked, and one that left is still shown."""
ENTERED, STALE, LEFT = 1, 2, 3
"""Marks."""

_ROOM = 256


class SignalLike(Protocol):
    """What the table needs of a signal."""

    @property
    def trader(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def event(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def time_ms(self) -> int: ...
    @property
    def note(self) -> str: ...


class MatchTable:
    """Pure; one thread. The first `count` entries of each column are the rows, in no order."""

    def __init__(self) -> None:
        self.traders, self.symbols = Names(), Names()
        self.count = 0
        self.trader = np.zeros(_ROOM, np.int64)
        self.symbol = np.zeros(_ROOM, np.int64)
        self.score = np.zeros(_ROOM)
        self.entered_ms = np.full(_ROOM, np.nan)
        """UTC; NaN where it is not known: the match is older than what was read of the journal."""
        self.left_ms = np.full(_ROOM, np.nan)
        """UTC; NaN while the symbol matches."""
        self.notes: list[str] = []
        self._rows: dict[tuple[int, int], int] = {}
        self._leaving: dict[int, None] = {}  # rows that have left, the first one first
        self._stale: dict[int, NDArray[np.int64] | None] = {}

    def replace(self, matches: Mapping[str, Mapping[str, float]]) -> None:
        """Begin anew with the match sets of a snapshot."""
        self.count = 0
        self.notes.clear()
        self._rows.clear()
        self._leaving.clear()
        for trader, scores in matches.items():
            number = self.traders.number(trader)
            for symbol, score in scores.items():
                self._set(number, self.symbols.number(symbol), score, np.nan, "")

    def apply(self, signal: SignalLike) -> None:
        """Apply the next signal."""
        trader, symbol = self.traders.number(signal.trader), self.symbols.number(signal.symbol)
        row = self._rows.get((trader, symbol))
        if signal.event == "left":
            if row is not None:
                self.score[row], self.left_ms[row] = signal.score, signal.time_ms
                self._leaving[row] = None
        elif signal.event == "entered" or row is None or not np.isnan(self.left_ms[row]):
            self._set(trader, symbol, signal.score, float(signal.time_ms), signal.note)
        else:
            self.score[row] = signal.score
            self.notes[row] = signal.note

    def explain(self, signal: SignalLike) -> None:
        """Take time and note of a match from an earlier signal, by which the symbol entered or got its score. Signals
        come newest first; what is known already stays."""
        trader, symbol = self.traders.find(signal.trader), self.symbols.find(signal.symbol)
        row = None if trader is None or symbol is None else self._rows.get((trader, symbol))
        if row is None or not np.isnan(self.entered_ms[row]) or not np.isnan(self.left_ms[row]):
            return
        self.notes[row] = self.notes[row] or signal.note
        if signal.event == "entered":
            self.entered_ms[row] = signal.time_ms

    def expire(self, now_ms: float) -> None:
        """Remove the rows that left long enough ago."""
        expired = [row for row in self._leaving if now_ms - self.left_ms[row] > SHOWN_MS]
        for row in sorted(expired, reverse=True):  # so the row that takes a place is never one that goes as well
            self._remove(row)

    def set_stale(self, stale: Mapping[str, Iterable[str] | None]) -> None:
        """Which matches may be out of date: of each trader these symbols, or all where there is None."""
        self._stale = {
            self.traders.number(trader): None
            if symbols is None
            else np.array([self.symbols.number(symbol) for symbol in symbols], np.int64)
            for trader, symbols in stale.items()
        }

    @property
    def unexplained(self) -> bool:
        """Whether the time is not known at which some match entered."""
        return bool(np.isnan(self.entered_ms[: self.count]).any())

    def counts(self) -> dict[str, int]:
        """Trader -> its matches, without those that have left."""
        there = np.isnan(self.left_ms[: self.count])
        found = np.bincount(self.trader[: self.count][there], minlength=len(self.traders))
        return dict(zip(self.traders.names, found.tolist(), strict=True))

    def marks(self, rows: NDArray[np.int64], now_ms: float) -> NDArray[np.float64]:
        """The mark of each row; 0 for none."""
        marks = np.zeros(len(rows))
        marks[now_ms - self.entered_ms[rows] <= SHOWN_MS] = ENTERED
        for trader, symbols in self._stale.items():
            mine = self.trader[rows] == trader
            marks[mine if symbols is None else mine & np.isin(self.symbol[rows], symbols)] = STALE
        marks[~np.isnan(self.left_ms[rows])] = LEFT
        return marks

    def of_symbol(self, symbol: str) -> list[dict[str, Any]]:
        """The traders for which the symbol matches, by name."""
        number = self.symbols.find(symbol)
        found = []
        for trader, name in enumerate(self.traders.names):
            row = None if number is None else self._rows.get((trader, number))
            if row is None or not np.isnan(self.left_ms[row]):
                continue
            found.append(
                {
                    "trader": name,
                    "score": float(self.score[row]),
                    "note": self.notes[row],
                    "since_ms": float(self.entered_ms[row]),
                    "stale": bool(self.marks(np.array([row]), np.inf)[0] == STALE),
                }
            )
        return sorted(found, key=lambda match: str(match["trader"]))

    def _set(self, trader: int, symbol: int, score: float, entered_ms: float, note: str) -> None:
        row = self._rows.get((trader, symbol))
        if row is None:
            row = self._rows[trader, symbol] = self.count
            self.count += 1
            if row == len(self.trader):
                self._grow()
            self.notes.append("")
        self._leaving.pop(row, None)
        self.trader[row], self.symbol[row], self.score[row] = trader, symbol, score
        self.entered_ms[row], self.left_ms[row], self.notes[row] = entered_ms, np.nan, note

    def _remove(self, row: int) -> None:
        """Remove a row; the last one takes its place."""
        del self._rows[int(self.trader[row]), int(self.symbol[row])]
        del self._leaving[row]
        self.count = last = self.count - 1
        note = self.notes.pop()
        if row == last:
            return
        for column in (self.trader, self.symbol, self.score, self.entered_ms, self.left_ms):
            column[row] = column[last]
        self.notes[row] = note
        self._rows[int(self.trader[row]), int(self.symbol[row])] = row
        if last in self._leaving:
            del self._leaving[last]
            self._leaving[row] = None

    def _grow(self) -> None:
        for name in ("trader", "symbol", "score", "entered_ms", "left_ms"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros_like(column))))
