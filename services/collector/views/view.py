"""View: one trader's match set, rebuilt from its results."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from tickflag.common.wire.messages import Delta, Heartbeat, Progress, Snapshot

Event = Literal["entered", "left", "score"]


class UnnumberedSignal(NamedTuple):
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
    """The trader is gone for good. Its position still tells late messages of that life from messages of a new life."""


class View:
    """One trader's match set. Starts unsynced at `position`. Pure; one thread.

    ViewPrefix: a synced view equals the trader's set right after result `seq` of `incarnation`. An unsynced view keeps
    the last set for which that was true, and only a snapshot changes it. The difference then becomes signals, so a
    follower of the signals needs to know nothing of the gap.
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
        """Symbol -> the trader's note on the match, of the matches that have one."""
        self.stale_symbols: set[str] = set()
        self.score_step = 0.0
        self.synced = False
        self.reason = "no snapshot yet"
        """Why the view is unsynced; empty while it is synced."""
        self.heard_incarnation = position.incarnation
        self.heard_seq = position.seq
        """Incarnation and number of the newest result that is known to exist, whether it came or not."""

    @property
    def position(self) -> Position:
        return Position(self.trader, self.incarnation, self.seq, self.cycle)

    def desync(self, reason: str) -> None:
        """Apply no delta until a snapshot comes; `reason` says why."""
        self.synced = False
        self.reason = reason

    def apply_heartbeat(self, message: Heartbeat) -> None:
        """GapVisible: the next heartbeat at the latest shows that a result was sent and did not come."""
        self._note_result(message)
        if self.synced and message.seq > self.seq:
            self.desync(f"result {self.seq + 1} to {message.seq} did not come")

    def apply_delta(self, message: Delta) -> list[UnnumberedSignal]:
        """The signals of a delta.

        Result n + 1 is applied to result n of the same incarnation. A later result, or one that contradicts the view,
        desyncs the view; an earlier one is ignored.
        """
        self._note_result(message)
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
        signals = [self._leave(symbol, time_ms, cycle) for symbol in sorted(message.left)] if message.left else []
        if message.notes or self.notes:
            self._annotate(message)
        if entered:
            signals += [self._enter(symbol, entered[symbol], time_ms, cycle) for symbol in sorted(entered)]
        if message.scores:
            self.stale_symbols.difference_update(message.scores)
            signals += self._rescore(message.scores, time_ms, cycle)
        self.seq, self.cycle = message.seq, message.cycle
        return signals

    def apply_snapshot(self, message: Snapshot, token: int) -> list[UnnumberedSignal]:
        """The signals that lead to the whole set of a snapshot.

        A snapshot is applied if no result is known that is newer, or if it answers the request with this `token` (0: no
        request). A snapshot older than the view is ignored, so a view never goes back.
        """
        self._note_result(message)
        if message.incarnation == self.incarnation and (
            message.seq < self.seq or (message.seq == self.seq and self.synced)
        ):
            return []
        # The answer to a request is newer than everything that was heard before the request. Any other snapshot that
        # is behind would sync the view to a result after which deltas are known to be missing.
        if message.seq < self.heard_seq and not (token and message.token == token):
            return []
        time_ms, cycle, matches = message.time_ms, message.cycle, message.matches
        left, entered = sorted(self.matches.keys() - matches.keys()), sorted(matches.keys() - self.matches.keys())
        signals = [self._leave(symbol, time_ms, cycle) for symbol in left]
        self.notes = {symbol: note for symbol, note in message.notes.items() if note and symbol in matches}
        signals += [self._enter(symbol, matches[symbol], time_ms, cycle) for symbol in entered]
        self.score_step = message.score_step
        signals += self._rescore(matches, time_ms, cycle)
        self.stale_symbols = self.matches.keys() & message.stale
        self.incarnation, self.seq, self.cycle = message.incarnation, message.seq, message.cycle
        self.heard_seq = message.seq
        self.synced = True
        self.reason = ""
        return signals

    def clear(self, time_ms: int) -> list[UnnumberedSignal]:
        """The signals of a trader that is gone for good: every match leaves."""
        return [self._leave(symbol, time_ms, self.cycle) for symbol in sorted(self.matches)]

    def _note_result(self, message: Progress) -> None:
        """Remember that the result `message.seq` exists. The caller has refused messages of older incarnations."""
        if message.incarnation > self.heard_incarnation:
            self.heard_incarnation, self.heard_seq = message.incarnation, message.seq
            if self.synced:
                self.desync("the trader was started anew")
        elif message.seq > self.heard_seq:
            self.heard_seq = message.seq

    def _contradiction(self, message: Delta) -> str:
        """Why the delta cannot be a change of this view; empty where it can."""
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
        """Apply the notes. The note on a match lasts until the match has a new score or leaves."""
        for symbol in message.scores:
            self.notes.pop(symbol, None)
        self.notes.update((symbol, note) for symbol, note in message.notes.items() if note)

    def _enter(self, symbol: str, score: float, time_ms: int, cycle: int) -> UnnumberedSignal:
        self.matches[symbol] = self.journalled[symbol] = score
        return UnnumberedSignal(self.trader, symbol, "entered", score, time_ms, cycle, self.notes.get(symbol, ""))

    def _leave(self, symbol: str, time_ms: int, cycle: int) -> UnnumberedSignal:
        del self.journalled[symbol]
        self.stale_symbols.discard(symbol)
        self.notes.pop(symbol, None)
        return UnnumberedSignal(self.trader, symbol, "left", self.matches.pop(symbol), time_ms, cycle)

    def _rescore(self, scores: Mapping[str, float], time_ms: int, cycle: int) -> list[UnnumberedSignal]:
        self.matches.update(scores)
        # The step is measured from the last signal, not from the last score, so a slow drift becomes a signal as well.
        journalled, step = self.journalled, self.score_step
        moved = [symbol for symbol, score in scores.items() if abs(score - journalled[symbol]) > step]
        signals = []
        for symbol in sorted(moved):
            journalled[symbol] = scores[symbol]
            note = self.notes.get(symbol, "")
            signals.append(UnnumberedSignal(self.trader, symbol, "score", scores[symbol], time_ms, cycle, note))
        return signals
