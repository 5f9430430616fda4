"""Results: a trader's messages to the collector. Snapshot first and when asked, then deltas; every byte is counted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.codec import encode
from common.errors import MessageError
from common.messages import Delta, Result, Snapshot
from services.trader.matches import Change, MatchSet


@dataclass(slots=True)
class Tally:
    """Running counts of a worker, since its start."""

    cycles: int = 0
    flagged: int = 0
    processed: int = 0
    skipped: int = 0
    fast: int = 0
    retried: int = 0
    batched: int = 0
    gaps: int = 0
    """Closed candles that a trader which wants each came too late for."""
    failures: int = 0
    bytes_sent: int = 0
    bytes_full: int = 0
    bytes_wire: int = 0


class Results:
    """Numbers and sends results. `send` gives False where the message could not be taken: then a snapshot is owed."""

    def __init__(
        self,
        trader: str,
        incarnation: int,
        matches: MatchSet,
        tally: Tally,
        send: Callable[[bytes], bool],
        deltas: bool,
        compress_from: int,
        score_step: float,
    ) -> None:
        self._trader, self._incarnation = trader, incarnation
        self._matches, self._tally = matches, tally
        self._send = send
        self.deltas = deltas
        """Send what changed; else the whole match set."""
        self.compress_from = compress_from
        """Bytes from which on a result is compressed; 0 is never."""
        self._score_step = score_step
        self.seq = 0
        self.owes_snapshot = True
        self.blocked = False
        """A message was refused: nothing is sent, and nothing encoded, until the owner sets this to False again."""
        self._token = 0
        self._asked = 0
        self._empty_bytes = len(encode(self._snapshot({}, [], 0, 0, 0)))

    def ask_snapshot(self, token: int) -> None:
        """The collector wants a snapshot carrying `token`; asked again with the same token, it is on its way."""
        if token != self._asked:
            self._asked = self._token = token
            self.owes_snapshot = True

    def full_bytes(self) -> int:
        """What a full result would take now, before compression, to within a few bytes of its numbers."""
        return self._empty_bytes + self._matches.entries_bytes

    def publish(self, change: Change, cycle: int, time_ms: int, oldest_ns: int) -> Result | None:
        """Send what the committed `change` means; nothing changed, nothing sent. Gives the message.

        Raises as `publish_snapshot`.
        """
        if self.blocked:
            self.owes_snapshot |= not change.is_empty()
            return None
        if self.owes_snapshot or not (self.deltas or change.is_empty()):
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
        except MessageError:  # a change larger than any message: the set that it leads to may be a small one
            return self.publish_snapshot(cycle, time_ms, oldest_ns)
        return delta

    def publish_snapshot(self, cycle: int, time_ms: int, oldest_ns: int = 0) -> Snapshot:
        """Send the whole match set.

        Raises MessageError where no message can hold it; then a snapshot is owed, and `blocked` set.
        """
        snapshot = self._snapshot(self._matches.scores(), sorted(self._matches.stale), cycle, time_ms, oldest_ns)
        self.owes_snapshot = False
        try:
            if self._push(snapshot):
                self._token = 0
        except MessageError as error:
            self.seq += 1  # the gap shows
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
        """A message that is not taken still uses its number: the gap shows, and a snapshot follows."""
        frame = encode(result)
        size = len(frame)
        self.seq += 1
        if self.compress_from and size >= self.compress_from:
            frame = encode(result, self.compress_from)
        if not self._send(frame):
            self.owes_snapshot = self.blocked = True
            return False
        self._tally.bytes_sent += size
        self._tally.bytes_wire += len(frame)
        return True
