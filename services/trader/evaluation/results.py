"""Results: a trader's messages to the collector: a snapshot first and when asked, else deltas. Counts every byte."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tickflag.common.errors import MessageError
from tickflag.common.traderapi import Trader
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import Delta, Result, Snapshot
from tickflag.services.trader.evaluation.matches import MatchChange, MatchSet
from tickflag.services.trader.evaluation.switches import Switches


@dataclass(slots=True)
class Tally:
    """Counts of one trader since its worker began with it."""

    cycles: int = 0
    flagged: int = 0
    processed: int = 0
    skipped: int = 0
    fast: int = 0
    lapped: int = 0
    """Passes that compared versions because the flags of a cycle were gone."""
    retried: int = 0
    batched: int = 0
    gaps: int = 0
    """Closed candles that the ring lost before they were evaluated, for a trader that wants each."""
    failures: int = 0
    bytes_sent: int = 0
    bytes_full: int = 0
    bytes_wire: int = 0


class Results:
    """Numbers and sends results. `send` gives False for a message that it could not send: then a snapshot is owed."""

    def __init__(
        self,
        trader: Trader,
        incarnation: int,
        matches: MatchSet,
        tally: Tally,
        switches: Switches,
        send: Callable[[bytes], bool],
    ) -> None:
        self._trader, self._score_step, self._incarnation = trader.name, trader.score_step, incarnation
        self._matches, self._tally, self._switches, self._send = matches, tally, switches, send
        self.seq = 0
        """Number of the last result."""
        self.owes_snapshot = True
        self.blocked = False
        """A message could not be sent. Nothing is encoded or sent until the owner sets this to False again."""
        self._token = 0
        self._asked = 0
        self._empty_bytes = len(encode(self._snapshot({}, [], 0, 0, 0)))

    def ask_snapshot(self, token: int) -> None:
        """Owe the collector a snapshot that carries `token`. A repeated request with the same token changes nothing."""
        if token != self._asked:
            self._asked = self._token = token
            self.owes_snapshot = True

    def full_bytes(self) -> int:
        """Size of a full result now, before compression, to within the few bytes that its counts take."""
        return self._empty_bytes + self._matches.entries_bytes

    def publish(self, change: MatchChange, cycle: int, time_ms: int, oldest_ns: int) -> Result | None:
        """Send the committed `change`, as a delta or a snapshot; gives the message, or None where there is none.

        Raises what `publish_snapshot` raises.
        """
        if self.blocked:
            self.owes_snapshot |= not change.is_empty()
            return None
        if self.owes_snapshot or not (self._switches.deltas or change.is_empty()):
            return self.publish_snapshot(cycle, time_ms, oldest_ns)
        if change.is_empty():
            return None
        delta = Delta.model_construct(
            **self._progress(cycle, time_ms, oldest_ns),
            entered=change.entered,
            left=change.left,
            scores=change.moved,
            notes=change.notes,
        )
        try:
            self._push(delta)
        except MessageError:  # the change is larger than any message may be, but the resulting set may be small
            return self.publish_snapshot(cycle, time_ms, oldest_ns)
        return delta

    def publish_snapshot(self, cycle: int, time_ms: int, oldest_ns: int = 0) -> Snapshot:
        """Send the whole match set.

        Raises MessageError where no message can hold the set; then a snapshot is owed, and `blocked` is set.
        """
        snapshot = self._snapshot(self._matches.scores(), sorted(self._matches.stale), cycle, time_ms, oldest_ns)
        self.owes_snapshot = False
        try:
            if self._push(snapshot):
                self._token = 0
        except MessageError as error:
            self.seq += 1  # so that the collector sees a gap
            self.owes_snapshot = self.blocked = True
            raise MessageError(
                f"trader {self._trader!r}: result with {len(snapshot.matches):,} matches and {len(snapshot.notes):,} "
                f"notes: {error}: let fewer symbols match, or give shorter notes"
            ) from None
        return snapshot

    def _snapshot(
        self, matches: dict[str, float], stale: list[str], cycle: int, time_ms: int, oldest_ns: int
    ) -> Snapshot:
        return Snapshot.model_construct(
            **self._progress(cycle, time_ms, oldest_ns),
            matches=matches,
            stale=stale,
            token=self._token,
            score_step=self._score_step,
            notes=dict(self._matches.notes),
        )

    def _progress(self, cycle: int, time_ms: int, oldest_ns: int) -> dict[str, Any]:
        tally = self._tally
        return {
            "trader": self._trader,
            "incarnation": self._incarnation,
            "seq": self.seq + 1,
            "cycle": cycle,
            "time_ms": time_ms,
            "cycles": tally.cycles,
            "flagged": tally.flagged,
            "processed": tally.processed,
            "skipped": tally.skipped,
            "bytes_sent": tally.bytes_sent,
            "bytes_full": tally.bytes_full,
            "oldest_ns": oldest_ns,
        }

    def _push(self, result: Result) -> bool:
        """Send the result. A result that could not be sent still uses up its number: the collector sees the gap, and a
        snapshot follows."""
        frame = encode(result)
        size = len(frame)
        self.seq += 1
        compress_from = self._switches.compress_from
        if compress_from and size >= compress_from:
            frame = encode(result, compress_from)
        if not self._send(frame):
            self.owes_snapshot = self.blocked = True
            return False
        self._tally.bytes_sent += size
        self._tally.bytes_wire += len(frame)
        return True
