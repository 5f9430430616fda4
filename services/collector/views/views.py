"""Views: every trader's view, kept up to date by the messages of workers and supervisor."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from tickflag.common.errors import MessageError
from tickflag.common.units import LARGEST_INT64, NS_PER_S
from tickflag.common.wire.messages import INCARNATION_LEAP, Delta, Heartbeat, Progress, Roster, RosterEntry, Snapshot
from tickflag.services.collector.views.resync_requests import ResyncRequests
from tickflag.services.collector.views.trader_record import REFUSED_FROM, RETRY_NS, TraderChange, TraderRecord
from tickflag.services.collector.views.view import Position, UnnumberedSignal, View

RETRY_LIMIT_NS = 60 * NS_PER_S
FAULT_AGAIN_NS = 60 * NS_PER_S  # a reason that changes with every cycle is told once a minute


class SavedTrader(NamedTuple):
    """A trader as the journal holds it."""

    position: Position
    matches: dict[str, float]
    """Symbol -> score of its last signal."""


class Views:
    """Pure: turns messages into signals, in an order that depends on nothing but the messages. One thread.

    An unsynced view has a token in `resync_requests`, a synced one has none. A trader that is silent or down is stale:
    it keeps its matches, and no signal tells of it. A trader that is disabled, or that a complete roster does not
    name, is retired, and its matches leave.
    """

    def __init__(self, resync_requests: ResyncRequests, stale_after_ns: int) -> None:
        self._resync_requests = resync_requests
        self._stale_after_ns = stale_after_ns
        self._records: dict[str, TraderRecord] = {}
        self._retired: dict[str, Position] = {}
        self._moved: set[str] = set()
        self._lives_changed = False
        self._changes: list[TraderChange] = []
        self.roster: dict[str, RosterEntry] = {}
        self.ignored = 0
        """Messages of past incarnations so far."""
        self.refused_incarnations: dict[str, int] = {}
        """Trader whose messages are ignored -> the incarnation known of it. Not to be changed."""

    def restore(self, saved: Iterable[SavedTrader], now_ns: int) -> None:
        """Begin with the traders of a former life: unsynced, and stale until the trader reports.

        The former life may have taken results that it did not journal. A delta builds on them, so no delta is applied
        before a snapshot.
        """
        for position, matches in saved:
            if position.retired:
                self._retired[position.trader] = position
            else:
                view = View(position, matches)
                view.reason = "the collector was started anew"
                self._records[position.trader] = TraderRecord(view, listed=True)
                self._request(position.trader, now_ns)

    @property
    def records(self) -> dict[str, TraderRecord]:
        """Trader -> record, of the traders that have reported and are not retired. Not to be changed."""
        return self._records

    def names(self) -> list[str]:
        """Every trader that has reported or is on the roster, sorted."""
        return sorted(self._records.keys() | self.roster.keys())

    def apply(self, message: Snapshot | Delta | Heartbeat | Roster, now_ns: int) -> list[UnnumberedSignal]:
        """The signals of a message that came at the monotonic time `now_ns`. Raises MessageError for a number that the
        journal cannot hold."""
        # By kind: for models, `isinstance` is slow where the answer is no.
        if message.kind == "roster":
            return self._apply_roster(message, now_ns)
        if max(message.incarnation, message.seq, message.cycle, message.time_ms) > LARGEST_INT64:
            raise MessageError(f"a number above {LARGEST_INT64} from trader {message.trader!r}")
        trader = message.trader
        new = trader not in self._records
        record = self._first_record(message) if new else self._records[trader]
        if record is None:
            self.ignored += 1
            return []
        view = record.view
        if not view.heard_incarnation <= message.incarnation <= view.heard_incarnation + INCARNATION_LEAP:
            self._ignore(record)
            return []
        before = (view.synced, view.incarnation, view.seq)
        anew = record.progress is None or message.incarnation > view.heard_incarnation
        self._hear(record, message, now_ns)
        signals: list[UnnumberedSignal] = []
        if message.kind == "delta":
            signals = view.apply_delta(message)
        elif message.kind == "heartbeat":
            view.apply_heartbeat(message)
        else:
            signals = view.apply_snapshot(message, self._resync_requests.tokens.get(trader, 0))
        if before != (view.synced, view.incarnation, view.seq):
            self._moved.add(trader)
            self._lives_changed |= before[1] != view.incarnation
        if view.synced != before[0] or (not view.synced and trader not in self._resync_requests.tokens):
            self._follow(record, "new" if new else "restarted" if anew else "gap", now_ns)
        return signals

    def check_incarnation(self, trader: str, incarnation: int) -> None:
        """Raises MessageError for an incarnation that no start of a worker can have led to."""
        record, past = self._records.get(trader), self._retired.get(trader)
        known = record.view.heard_incarnation if record else past.incarnation if past else 0
        if incarnation > known + INCARNATION_LEAP:
            raise MessageError(f"incarnation {incarnation} of trader {trader!r}, of which {known} is known")

    def request_resync(self, trader: str, now_ns: int) -> int:
        """The token of a snapshot that an operator wants. The trader must be in `records`."""
        self._records[trader].view.desync("an operator asked for a resync")
        return self._request(trader, now_ns)

    def expire(self, now_ns: int) -> None:
        """Mark the silent traders stale, and ask the live ones again for snapshots that did not come.

        All messages that came before `now_ns` must have been applied.
        """
        for trader, record in self._records.items():
            if record.stale:
                continue
            if record.heard_ns is not None and now_ns - record.heard_ns > self._stale_after_ns:
                self._mark_stale(record, f"silent for {(now_ns - record.heard_ns) / NS_PER_S:.1f} s")
            elif not record.view.synced and now_ns >= record.retry_at_ns:
                # The answer may have been in a frame that could not be read. The waits need no jitter, as a single
                # collector asks, and asks each trader separately.
                record.retry_ns = min(record.retry_ns * 2, RETRY_LIMIT_NS)
                self._resync_requests.want(trader)
                record.retry_at_ns = now_ns + record.retry_ns

    def drain_positions(self) -> list[Position]:
        """The positions of the views that moved since the last call, sorted by trader."""
        moved = sorted(self._moved)
        self._moved.clear()
        self._lives_changed = False
        return [self._records[name].view.position if name in self._records else self._retired[name] for name in moved]

    @property
    def moved(self) -> bool:
        """True where `drain_positions` has something to give."""
        return bool(self._moved)

    @property
    def lives_changed(self) -> bool:
        """True where a trader came, went or was started anew since the last `drain_positions`. After a crash, the new
        positions tell messages of past incarnations from those of the present one."""
        return self._lives_changed

    def drain_changes(self) -> list[TraderChange]:
        """What happened to the traders since the last call."""
        changes, self._changes = self._changes, []
        return changes

    def _first_record(self, message: Progress) -> TraderRecord | None:
        """A record for the first report of a trader; None for a late report of an incarnation that was retired."""
        trader = message.trader
        self.check_incarnation(trader, message.incarnation)
        past = self._retired.get(trader)
        if past is not None and message.incarnation <= past.incarnation:
            return None
        self._retired.pop(trader, None)
        self._changes.append(TraderChange(trader, "new"))
        record = self._records[trader] = TraderRecord(View(past or Position(trader)), trader in self.roster)
        return record

    def _ignore(self, record: TraderRecord) -> None:
        """Count a message of another incarnation. The supervisor is told the known one, so that it can go above."""
        trader = record.view.trader
        self.ignored += 1
        record.ignored += 1
        if record.ignored >= REFUSED_FROM:
            self.refused_incarnations[trader] = record.view.heard_incarnation
            if record.stale:
                self._changes.append(TraderChange(trader, "ignored", record.why_ignored()))

    def _hear(self, record: TraderRecord, message: Snapshot | Delta | Heartbeat, now_ns: int) -> None:
        record.heard_ns = now_ns
        record.progress = message
        if message.incarnation > record.view.heard_incarnation:
            record.down = False
            record.heartbeat = None
            record.ignored = 0
            self.refused_incarnations.pop(message.trader, None)
        if message.kind == "heartbeat":
            record.heartbeat = message
            record.down = record.down or message.state == "stopped"
            self._tell_failing(record, message, now_ns)
        if record.down:
            self._mark_stale(record, "it stopped")
        elif record.stale:
            record.stale = False
            record.retry_at_ns = now_ns + record.retry_ns
            self._changes.append(TraderChange(record.view.trader, "live"))

    def _tell_failing(self, record: TraderRecord, message: Heartbeat, now_ns: int) -> None:
        """Note for the log that the trader began to fail, fails for another reason, or works again. The state `waiting`
        says nothing of this."""
        if message.state == "running" and record.fault:
            record.fault = ""
            self._changes.append(TraderChange(message.trader, "works"))
        elif message.state == "failing" and message.error != record.fault:
            if record.fault and now_ns < record.fault_from_ns:
                return
            record.fault, record.fault_from_ns = message.error, now_ns + FAULT_AGAIN_NS
            self._changes.append(TraderChange(message.trader, "failing", message.error))

    def _follow(self, record: TraderRecord, why: Literal["new", "restarted", "gap"], now_ns: int) -> None:
        """Ask for a snapshot after the view became unsynced, or settle the request after it became synced; and tell the
        log, which knows of a new trader already."""
        trader = record.view.trader
        if record.view.synced:
            self._resync_requests.settle(trader)
            record.retry_ns = RETRY_NS
            self._changes.append(TraderChange(trader, "synced"))
            return
        self._request(trader, now_ns)
        if why != "new":
            self._changes.append(TraderChange(trader, why, record.view.reason))

    def _request(self, trader: str, now_ns: int) -> int:
        record = self._records[trader]
        record.retry_at_ns = now_ns + record.retry_ns
        return self._resync_requests.want(trader)

    def _mark_stale(self, record: TraderRecord, reason: str) -> None:
        if not record.stale:
            record.stale = True
            self._changes.append(TraderChange(record.view.trader, "stale", reason))

    def _apply_roster(self, message: Roster, now_ns: int) -> list[UnnumberedSignal]:
        if message.time_ms > LARGEST_INT64:
            raise MessageError(f"a number above {LARGEST_INT64} in a roster")
        before, self.roster = self.roster, {entry.name: entry for entry in message.traders}
        signals: list[UnnumberedSignal] = []
        off = {trader for trader, entry in self.roster.items() if entry.state == "disabled"}
        missing = self._records.keys() - self.roster.keys() if message.complete else set()
        for trader in sorted(missing | (off & self._records.keys())):
            # A trader that reported before any roster named it is not gone: the roster that names it is on its way.
            if self._records[trader].listed or trader in before or trader in off:
                signals += self._retire(trader, message.time_ms)
        for trader, entry in self.roster.items():
            if trader in off:
                continue
            past = self._retired.pop(trader, None)
            if past is not None:  # the file was put back, and this incarnation may still run
                self._records[trader] = TraderRecord(View(past._replace(retired=False)), listed=True)
                self._moved.add(trader)
                self._lives_changed = True
                self._request(trader, now_ns)
            record = self._records.get(trader)
            if record is None:
                continue
            record.listed = True
            record.down = entry.state != "running"
            if record.down:
                self._mark_stale(record, f"{entry.state}: {entry.reason}" if entry.reason else entry.state)
        return signals

    def _retire(self, trader: str, time_ms: int) -> list[UnnumberedSignal]:
        view = self._records.pop(trader).view
        self.refused_incarnations.pop(trader, None)
        signals = view.clear(time_ms)
        self._retired[trader] = Position(trader, view.heard_incarnation, view.heard_seq, view.cycle, retired=True)
        self._moved.add(trader)
        self._lives_changed = True
        self._resync_requests.settle(trader)
        self._changes.append(TraderChange(trader, "retired"))
        return signals
