"""Views: every trader's view, from the messages of workers and supervisor."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from common.errors import MessageError
from common.messages import Delta, Heartbeat, Progress, Roster, RosterEntry, Snapshot
from services.collector.control import ControlState
from services.collector.view import Draft, Position, View

LARGEST = (1 << 63) - 1  # what the journal can hold
RETRY_NS = 2_000_000_000
RETRY_LIMIT_NS = 60_000_000_000
FAULT_AGAIN_NS = 60_000_000_000  # words that change all the time are news once a minute


class Saved(NamedTuple):
    """A trader as the journal holds it."""

    position: Position
    matches: dict[str, float]
    """Symbol -> score of its last signal."""


class Change(NamedTuple):
    """Something to tell the operator."""

    trader: str
    what: Literal["new", "restarted", "gap", "synced", "stale", "live", "failing", "works", "retired"]
    reason: str = ""


class Known:
    """What is known of one trader beside its view."""

    __slots__ = (
        "down", "fault", "fault_from_ns", "heard_ns", "heartbeat", "listed", "progress", "retry_at_ns", "retry_ns",
        "stale", "view",
    )  # fmt: skip

    def __init__(self, view: View, listed: bool) -> None:
        self.view = view
        self.listed = listed
        """It was on a roster, or in the journal: not being on the next roster means that it is retired."""
        self.progress: Progress | None = None
        self.heartbeat: Heartbeat | None = None
        self.heard_ns: int | None = None
        """Monotonic time of its last message."""
        self.stale = True
        """Its matches are those of a trader that does not report."""
        self.down = False
        """It, or the supervisor, said that this incarnation has ended."""
        self.fault = ""
        """Why it is failing, as the log was told; empty where it works."""
        self.fault_from_ns = 0
        """When the log may be told of another fault."""
        self.retry_at_ns = 0
        self.retry_ns = RETRY_NS


class Views:
    """Pure: takes messages, gives drafts of signals in an order that depends on nothing but the messages.

    One thread. An unsynced view has a resync token in `control`, a synced one has none. Staleness is a state of the
    views: a trader that is silent or down keeps its matches, and no signal tells of it. A trader that was known and
    is on no roster any more, or is disabled, is retired, and its matches leave.
    """

    def __init__(self, control: ControlState, stale_after_ns: int) -> None:
        self._control = control
        self._stale_after_ns = stale_after_ns
        self._known: dict[str, Known] = {}
        self._retired: dict[str, Position] = {}
        self._moved: set[str] = set()
        self._lives_changed = False
        self._changes: list[Change] = []
        self.roster: dict[str, RosterEntry] = {}
        self.ignored = 0
        """Messages of a past incarnation."""

    def restore(self, saved: Iterable[Saved], now_ns: int) -> None:
        """Begin with what a former life journalled: unsynced, and stale until the trader reports.

        Results that the former life took and did not journal would be missing from a delta's base, so none is applied
        before a snapshot.
        """
        for position, matches in saved:
            if position.retired:
                self._retired[position.trader] = position
            else:
                view = View(position, matches)
                view.reason = "the collector was started anew"
                self._known[position.trader] = Known(view, listed=True)
                self._want(position.trader, now_ns)

    @property
    def known(self) -> dict[str, Known]:
        """By trader name, of those that are not retired and reported once. Not to be changed."""
        return self._known

    def names(self) -> list[str]:
        """Every trader that reported or is on the roster, sorted."""
        return sorted(self._known.keys() | self.roster.keys())

    def apply(self, message: Snapshot | Delta | Heartbeat | Roster, now_ns: int) -> list[Draft]:
        """Take in a message that came at the monotonic time `now_ns`. Raises MessageError for numbers too large."""
        # By kind: `isinstance` is slow for models, where the answer is no.
        if message.kind == "roster":
            return self._apply_roster(message, now_ns)
        if max(message.incarnation, message.seq, message.cycle, message.time_ms) > LARGEST:
            raise MessageError(f"a number above {LARGEST} from trader {message.trader!r}")
        trader = message.trader
        new = trader not in self._known
        known = self._new(message) if new else self._known[trader]
        if known is None or message.incarnation < known.view.heard_incarnation:
            self.ignored += 1
            return []
        view = known.view
        before = (view.synced, view.incarnation, view.seq)
        anew = known.progress is None or message.incarnation > view.heard_incarnation
        self._hear(known, message, now_ns)
        drafts: list[Draft] = []
        if message.kind == "delta":
            drafts = view.apply_delta(message)
        elif message.kind == "heartbeat":
            view.apply_heartbeat(message)
        else:
            drafts = view.apply_snapshot(message, self._control.resync.get(trader, 0))
        if before != (view.synced, view.incarnation, view.seq):
            self._moved.add(trader)
            self._lives_changed |= before[1] != view.incarnation
        if view.synced != before[0] or (not view.synced and trader not in self._control.resync):
            self._follow(known, "new" if new else "restarted" if anew else "gap", now_ns)
        return drafts

    def request_resync(self, trader: str, now_ns: int) -> int:
        """An operator wants a snapshot; gives its token. The trader must be in `known`."""
        self._known[trader].view.desync("an operator asked for a resync")
        return self._want(trader, now_ns)

    def expire(self, now_ns: int) -> None:
        """Time has passed, and all that came before was applied: mark the silent, ask the live ones again."""
        for trader, known in self._known.items():
            if known.stale:
                continue
            if known.heard_ns is not None and now_ns - known.heard_ns > self._stale_after_ns:
                self._mark_stale(known, f"silent for {(now_ns - known.heard_ns) / 1e9:.1f} s")
            elif not known.view.synced and now_ns >= known.retry_at_ns:
                # The answer may have been lost for ever, with a frame that was no message. One collector asks each
                # trader by itself, so the waits need no jitter.
                known.retry_ns = min(known.retry_ns * 2, RETRY_LIMIT_NS)
                self._control.want_resync(trader)
                known.retry_at_ns = now_ns + known.retry_ns

    def take_moved(self) -> list[Position]:
        """Where the views stand that moved since the last call, sorted by trader."""
        moved = sorted(self._moved)
        self._moved.clear()
        self._lives_changed = False
        return [self._known[name].view.position if name in self._known else self._retired[name] for name in moved]

    @property
    def moved(self) -> bool:
        """`take_moved` has something to give."""
        return bool(self._moved)

    @property
    def lives_changed(self) -> bool:
        """As `moved`, and a trader came, went, or was started anew: which messages are of the past depends on it."""
        return self._lives_changed

    def take_changes(self) -> list[Change]:
        """What happened since the last call, for the log."""
        changes, self._changes = self._changes, []
        return changes

    def _new(self, message: Progress) -> Known | None:
        """First report of a trader; None where it is a late one of a retired life."""
        trader = message.trader
        past = self._retired.get(trader)
        if past is not None and message.incarnation <= past.incarnation:
            return None
        self._retired.pop(trader, None)
        self._changes.append(Change(trader, "new"))
        known = self._known[trader] = Known(View(past or Position(trader)), trader in self.roster)
        return known

    def _hear(self, known: Known, message: Snapshot | Delta | Heartbeat, now_ns: int) -> None:
        known.heard_ns = now_ns
        known.progress = message
        if message.incarnation > known.view.heard_incarnation:
            known.down = False
            known.heartbeat = None
        if message.kind == "heartbeat":
            known.heartbeat = message
            known.down = known.down or message.state == "stopped"
            self._judge(known, message, now_ns)
        if known.down:
            self._mark_stale(known, "it stopped")
        elif known.stale:
            known.stale = False
            known.retry_at_ns = now_ns + known.retry_ns
            self._changes.append(Change(known.view.trader, "live"))

    def _judge(self, known: Known, message: Heartbeat, now_ns: int) -> None:
        """Whether it began to fail, fails of something else, or works again; a feed that is away says neither."""
        if message.state == "running" and known.fault:
            known.fault = ""
            self._changes.append(Change(message.trader, "works"))
        elif message.state == "failing" and message.error != known.fault:
            if known.fault and now_ns < known.fault_from_ns:
                return
            known.fault, known.fault_from_ns = message.error, now_ns + FAULT_AGAIN_NS
            self._changes.append(Change(message.trader, "failing", message.error))

    def _follow(self, known: Known, why: Literal["new", "restarted", "gap"], now_ns: int) -> None:
        """Token and log follow what became of the view. Of a new trader the log has said so."""
        trader = known.view.trader
        if known.view.synced:
            self._control.settle_resync(trader)
            known.retry_ns = RETRY_NS
            self._changes.append(Change(trader, "synced"))
            return
        self._want(trader, now_ns)
        if why != "new":
            self._changes.append(Change(trader, why, known.view.reason))

    def _want(self, trader: str, now_ns: int) -> int:
        known = self._known[trader]
        known.retry_at_ns = now_ns + known.retry_ns
        return self._control.want_resync(trader)

    def _mark_stale(self, known: Known, reason: str) -> None:
        if not known.stale:
            known.stale = True
            self._changes.append(Change(known.view.trader, "stale", reason))

    def _apply_roster(self, message: Roster, now_ns: int) -> list[Draft]:
        if message.time_ms > LARGEST:
            raise MessageError(f"a number above {LARGEST} in a roster")
        before, self.roster = self.roster, {entry.name: entry for entry in message.traders}
        drafts: list[Draft] = []
        off = {trader for trader, entry in self.roster.items() if entry.state == "disabled"}
        missing = self._known.keys() - self.roster.keys() if message.complete else set()
        for trader in sorted(missing | (off & self._known.keys())):
            # One that reported before any roster named it is not gone: its roster is still on the way.
            if self._known[trader].listed or trader in before or trader in off:
                drafts += self._retire(trader, message.time_ms)
        for trader, entry in self.roster.items():
            if trader in off:
                continue
            past = self._retired.pop(trader, None)
            if past is not None:  # put back: this incarnation may still run
                self._known[trader] = Known(View(past._replace(retired=False)), listed=True)
                self._moved.add(trader)
                self._lives_changed = True
                self._want(trader, now_ns)
            known = self._known.get(trader)
            if known is None:
                continue
            known.listed = True
            known.down = entry.state != "running"
            if known.down:
                self._mark_stale(known, f"{entry.state}: {entry.reason}" if entry.reason else entry.state)
        return drafts

    def _retire(self, trader: str, time_ms: int) -> list[Draft]:
        view = self._known.pop(trader).view
        drafts = view.clear(time_ms)
        self._retired[trader] = Position(trader, view.heard_incarnation, view.heard_seq, view.cycle, retired=True)
        self._moved.add(trader)
        self._lives_changed = True
        self._control.settle_resync(trader)
        self._changes.append(Change(trader, "retired"))
        return drafts
