"""View: one trader's match set as the collector knows it, and what changes it."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from common.messages import Delta, Heartbeat, Progress, Snapshot

Event = Literal["entered", "left", "score"]


class Draft(NamedTuple):
    """A signal before the journal has numbered it."""

    trader: str
    symbol: str
    event: Event
    score: float
    time_ms: int
    cycle: int
    note: str = ""


class Position(NamedTuple):
    """Which result of which incarnation a view shows."""

    trader: str
    incarnation: int = 0
    seq: int = 0
    cycle: int = 0
    retired: bool = False
    """Gone for good; the position still tells late messages of the past from those of a new life."""


class View:
    """Starts unsynced at `position`. Pure; one thread.

    ViewPrefix: a synced view equals the trader's set right after result `seq` of `incarnation`. While unsynced it
    keeps the last set that did, and only a snapshot changes it: the difference becomes signals, so that nobody who
    follows the signals needs to know of the gap.
    """

    __slots__ = (
        "cycle",
        "heard_incarnation",
        "heard_seq",
        "incarnation",
        "journalled",
        "matches",
        "notes",
        "reason",
        "score_step",
        "seq",
        "stale_symbols",
        "synced",
        "trader",
    )

    def __init__(self, position: Position, matches: Mapping[str, float] | None = None) -> None:
        self.trader = position.trader
        self.incarnation = position.incarnation
        self.seq = position.seq
        self.cycle = position.cycle
        self.matches = dict(matches or {})
        """Symbol -> newest score."""
        self.journalled = dict(self.matches)
        """Symbol -> score of its last signal."""
        self.notes: dict[str, str] = {}
        """Symbol -> what the trader says of its match, where it says anything."""
        self.stale_symbols: set[str] = set()
        self.score_step = 0.0
        self.synced = False
        self.reason = "no snapshot yet"
        """Why it is unsynced."""
        self.heard_incarnation = position.incarnation
        self.heard_seq = position.seq
        """The newest result known to exist, whether it came or not."""

    @property
    def position(self) -> Position:
        return Position(self.trader, self.incarnation, self.seq, self.cycle)

    def desync(self, reason: str) -> None:
        """Trust no delta until a snapshot comes."""
        self.synced = False
        self.reason = reason

    def apply_heartbeat(self, message: Heartbeat) -> None:
        """GapVisible: a result that was sent and did not come shows in the next heartbeat at the latest."""
        self._hear(message)
        if self.synced and message.seq > self.seq:
            self.desync(f"result {self.seq + 1} to {message.seq} did not come")

    def apply_delta(self, message: Delta) -> list[Draft]:
        """Result n+1 on n of the same incarnation; any other newer one, or one that contradicts the view, desyncs."""
        self._hear(message)
        if not self.synced or message.seq <= self.seq:
            return []
        if message.seq != self.seq + 1:
            self.desync(f"result {self.seq + 1} did not come before {message.seq}")
            return []
        fault = self._contradiction(message)
        if fault:
            self.desync(f"result {message.seq}: {fault}")
            return []
        time_ms, cycle, entered = message.time_ms, message.cycle, message.entered
        drafts = [self._leave(symbol, time_ms, cycle) for symbol in sorted(message.left)] if message.left else []
        if message.notes or self.notes:
            self._annotate(message)
        if entered:
            drafts += [self._enter(symbol, entered[symbol], time_ms, cycle) for symbol in sorted(entered)]
        if message.scores:
            self.stale_symbols.difference_update(message.scores)
            drafts += self._rescore(message.scores, time_ms, cycle)
        self.seq, self.cycle = message.seq, message.cycle
        return drafts

    def apply_snapshot(self, message: Snapshot, token: int) -> list[Draft]:
        """The whole set, where it is no older than the view and everything heard of, or answers request `token`.

        Never rolls back. `token` is 0 where nothing was requested.
        """
        self._hear(message)
        if message.incarnation == self.incarnation and (
            message.seq < self.seq or (message.seq == self.seq and self.synced)
        ):
            return []
        # A token is younger than everything heard before its request. Without one, a snapshot that is behind would
        # sync the view to a place from which deltas are known to be missing.
        if message.seq < self.heard_seq and not (token and message.token == token):
            return []
        time_ms, cycle, matches = message.time_ms, message.cycle, message.matches
        left, entered = sorted(self.matches.keys() - matches.keys()), sorted(matches.keys() - self.matches.keys())
        drafts = [self._leave(symbol, time_ms, cycle) for symbol in left]
        self.notes = {symbol: note for symbol, note in message.notes.items() if note and symbol in matches}
        drafts += [self._enter(symbol, matches[symbol], time_ms, cycle) for symbol in entered]
        self.score_step = message.score_step
        drafts += self._rescore(matches, time_ms, cycle)
        self.stale_symbols = self.matches.keys() & message.stale
        self.incarnation, self.seq, self.cycle = message.incarnation, message.seq, message.cycle
        self.heard_seq = message.seq
        self.synced = True
        self.reason = ""
        return drafts

    def clear(self, time_ms: int) -> list[Draft]:
        """The trader is gone for good: every match leaves."""
        return [self._leave(symbol, time_ms, self.cycle) for symbol in sorted(self.matches)]

    def _hear(self, message: Progress) -> None:
        """Take in that the result `message.seq` exists. The caller has refused older incarnations."""
        if message.incarnation > self.heard_incarnation:
            self.heard_incarnation, self.heard_seq = message.incarnation, message.seq
            if self.synced:
                self.desync("the trader was started anew")
        elif message.seq > self.heard_seq:
            self.heard_seq = message.seq

    def _contradiction(self, message: Delta) -> str:
        """How the delta's content cannot be a change of this view; empty where it can."""
        matches = self.matches
        left = set(message.left) if message.left else ()
        if len(left) != len(message.left):
            return "a symbol left twice"
        for symbol in message.left:
            if symbol not in matches:
                return f"{symbol} left without being a match"
        for symbol in message.entered:
            if symbol in matches:
                return f"{symbol} entered as a match already"
        for symbol in message.scores:
            if symbol not in matches or symbol in left:
                return f"a score of {symbol}, which is no match"
        for symbol in message.notes:
            if symbol not in message.entered and symbol not in message.scores:
                return f"a note on {symbol}, which neither entered nor has a new score"
        return ""

    def _annotate(self, message: Delta) -> None:
        """A note follows its match: it lasts until that changes."""
        for symbol in message.scores:
            self.notes.pop(symbol, None)
        self.notes.update((symbol, note) for symbol, note in message.notes.items() if note)

    def _enter(self, symbol: str, score: float, time_ms: int, cycle: int) -> Draft:
        self.matches[symbol] = self.journalled[symbol] = score
        return Draft(self.trader, symbol, "entered", score, time_ms, cycle, self.notes.get(symbol, ""))

    def _leave(self, symbol: str, time_ms: int, cycle: int) -> Draft:
        del self.journalled[symbol]
        self.stale_symbols.discard(symbol)
        self.notes.pop(symbol, None)
        return Draft(self.trader, symbol, "left", self.matches.pop(symbol), time_ms, cycle)

    def _rescore(self, scores: Mapping[str, float], time_ms: int, cycle: int) -> list[Draft]:
        self.matches.update(scores)
        # Measured from the last signal, not from the last score: a slow drift becomes a signal as well.
        journalled, step = self.journalled, self.score_step
        moved = [symbol for symbol, score in scores.items() if abs(score - journalled[symbol]) > step]
        drafts = []
        for symbol in sorted(moved):
            journalled[symbol] = scores[symbol]
            note = self.notes.get(symbol, "")
            drafts.append(Draft(self.trader, symbol, "score", scores[symbol], time_ms, cycle, note))
        return drafts
