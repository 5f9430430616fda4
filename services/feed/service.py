"""Feed: drives source and market. One turn applies what came, closes what is due, swaps where it may, then waits."""

import select
import time
from typing import Any

from common import layout
from common.errors import MessageError, SegmentError, TickflagError
from common.lifecycle import Stop
from common.log import Logger
from common.messages import Reply, Request
from common.responder import Responder, replied
from common.runtime import SEGMENT_SUFFIX, Runtime
from common.segment import Segment
from common.settings import Settings
from common.sockets import CONTROL_IN, EVENTS_OUT, FEED_COMMANDS_SERVER, Context, open_socket
from services.feed.growth import grown
from services.feed.history import History
from services.feed.limits import RateLimits
from services.feed.market import Market
from services.feed.publisher import Publisher
from services.feed.sources.base import Source, Venue

MS = 1_000_000
LONGEST_WAIT_NS = 1_000_000_000
QUIET_NS = 1_000_000_000  # after a warning about bad requests


class Feed:
    """The service. Create it holding the role `feed`; it makes the segment and removes it in `close`."""

    def __init__(self, settings: Settings, runtime: Runtime, context: Context, source: Source, log: Logger) -> None:
        feed = settings.feed
        self._settings, self._runtime, self._log = settings, runtime, log
        self._min_swap_ns = int(feed.min_swap_interval_ms * MS)
        self._heartbeat_ns = int(feed.heartbeat_ms * MS)
        self._source = source
        self._history = History(feed, runtime, log)
        self._remove_remains()
        plan = layout.plan(settings.segment.capacity, settings.segment.depth, settings.intervals_s)
        self.market = Market(
            Segment.create(runtime, plan), int(feed.rate_limit_ms * MS), int(feed.watermark_ms * MS), source.native_s
        )
        self._may_grow = settings.segment.growth
        self._swapped_ns = 0
        self._beat_due_ns = 0
        self._watermark_due_ns = 0
        self._control = open_socket(context, runtime, CONTROL_IN)
        self._limits = RateLimits(self._control, settings.flags)
        self._events = open_socket(context, runtime, EVENTS_OUT)
        self._commands = open_socket(context, runtime, FEED_COMMANDS_SERVER)
        self._responder = Responder(self._commands, self._answer, self._drop, 1)
        self._dropped = 0
        self._quiet_until_ns = 0
        self._publisher = Publisher(self._events)
        now_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        for past in self._history.batches(self.slot, wall_ns):
            self.market.apply_past(past.batch, now_ns, past.base_s, past.brought_s)
        for batch in source.open(Venue(self.slot, plan.intervals_s, now_ns, wall_ns, log)):
            self.market.apply_past(batch, now_ns)
        self.market.beat(time.monotonic_ns())
        self.market.segment.publish(runtime)
        log.info(
            "feed ready",
            source=settings.feed.source,
            symbols=len(self.market.symbols),
            segment=self.market.segment.path.name,
            bytes=self.market.segment.nbytes,
        )

    def slot(self, name: str) -> int:
        """The symbol's slot; -1 where there is no room, which the log says once, or where the name is none."""
        symbols = self.market.symbols
        if self._may_grow and len(symbols) == self.market.segment.layout.capacity and name not in symbols:
            self._grow()
        new = name not in symbols
        try:
            slot = self.market.slot(name)
        except TickflagError as error:
            self._log.error("symbol refused", reason=str(error))
            return -1
        if new and slot >= 0:
            self.market.state.limited[slot] = self._limits.counts(name)
        return slot

    def run(self, stop: Stop) -> None:
        """Turn until a stop is asked for."""
        commands = self._commands.fileno()
        descriptors = [stop.fileno(), commands, *self._source.descriptors()]
        asked = False
        while True:
            due_ns = self.turn()
            wait_s = 0.0 if asked else max(0.0, (due_ns - time.monotonic_ns()) / 1e9)
            # `select`, as polling waits whole milliseconds, which may be more than a swap interval.
            ready, _, _ = select.select(descriptors, (), (), wait_s)
            # ZeroMQ's descriptor tells that something came, and no more once that was looked at: look until nothing
            # is left, a request a turn.
            asked = (asked or commands in ready) and bool(self._responder.step())
            if stop.fileno() in ready and stop.requested:
                return

    def turn(self) -> int:
        """One turn; gives the monotonic time when the next one is due at the latest."""
        now_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        for batch in self._source.drain(now_ns, wall_ns):
            self.market.apply(batch, now_ns)
        market = self.market  # a new one where the segment grew
        due_ns = market.next_due_ns()
        if due_ns and due_ns <= now_ns:
            market.announce_due(now_ns)
        event_ns = self._source.event_ns(now_ns, wall_ns)
        if event_ns >= self._watermark_due_ns:
            market.close_due(event_ns, now_ns)
            self._watermark_due_ns = market.next_watermark_ns(event_ns)
        if now_ns - self._swapped_ns >= self._min_swap_ns and market.dirty:
            self.swap(now_ns)
        if now_ns >= self._beat_due_ns:
            market.beat(now_ns)
            self._publisher.repeat()
            if self._limits.look():
                market.limit(self._limits.mask(market.symbols.names), now_ns)
            self._beat_due_ns = now_ns + self._heartbeat_ns
        return self._next_turn_ns(now_ns)

    def swap(self, now_ns: int) -> int:
        """Close every channel's cycle that has flags, now; gives how many."""
        closed = self.market.swap(self._publisher.send, now_ns)
        self._swapped_ns = now_ns
        self.market.beat(now_ns)
        return closed

    def close(self) -> None:
        """Announce what is pending, then take everything away."""
        now_ns = time.monotonic_ns()
        self.market.announce_pending(now_ns)
        self.swap(now_ns)
        self._source.close()
        self._control.close()
        self._events.close()
        self._commands.close()
        self._runtime.pointer.unlink(missing_ok=True)
        self.market.segment.path.unlink(missing_ok=True)
        for role in (EVENTS_OUT, FEED_COMMANDS_SERVER):
            (self._runtime.folder / role.endpoint).unlink(missing_ok=True)
        self._history.keep(self.market, time.time_ns())
        self._log.info("feed stopped", **self.market.segment.counters())
        self.market.segment.close()

    def _next_turn_ns(self, now_ns: int) -> int:
        """The earliest of all timers."""
        due_ns = min(now_ns + LONGEST_WAIT_NS, self._beat_due_ns)
        source_ns = self._source.next_ns()
        if source_ns is not None:
            due_ns = min(due_ns, source_ns)
        announcement_ns = self.market.next_due_ns()
        if announcement_ns:
            due_ns = min(due_ns, announcement_ns)
        if self.market.dirty:
            due_ns = min(due_ns, self._swapped_ns + self._min_swap_ns)
        return due_ns

    def _grow(self) -> None:
        """Twice the capacity, as a new generation; where there is no space for it, the present one stays."""
        now_ns = time.monotonic_ns()
        old = self.market
        old.announce_pending(now_ns)
        self.swap(now_ns)
        try:
            self.market = grown(old, self._runtime)
        except (SegmentError, ValueError) as error:  # too little space, or more than the largest capacity
            self._may_grow = False
            self._log.error("segment cannot grow", reason=str(error))
            return
        self.market.beat(now_ns)
        self.market.segment.publish(self._runtime)
        self._publisher.forget()
        old.segment.path.unlink(missing_ok=True)
        self._log.info("segment grew", capacity=self.market.segment.layout.capacity)
        old.segment.close()

    def _remove_remains(self) -> None:
        """What a crashed feed left: nobody else holds the role, so it is nobody's."""
        self._runtime.pointer.unlink(missing_ok=True)
        for path in self._runtime.folder.glob(f"*{SEGMENT_SUFFIX}"):
            path.unlink(missing_ok=True)

    def _answer(self, request: Request, _key: str) -> Reply:
        return replied(request, lambda: self._carried_out(request.what, dict(request.arguments)))

    def _drop(self, error: MessageError) -> None:
        self._dropped += 1
        now_ns = time.monotonic_ns()
        if now_ns >= self._quiet_until_ns:
            self._quiet_until_ns = now_ns + QUIET_NS
            self._log.warning("bad requests", count=self._dropped, reason=str(error))
            self._dropped = 0

    def _carried_out(self, what: str, arguments: dict[str, Any]) -> Any:
        if what == "debug":
            on = arguments.pop("on", None)
            if not isinstance(on, bool):
                raise TickflagError("debug: `on` must be true or false")
        if what in ("status", "swap", "debug") and arguments:
            raise TickflagError(f"{what!r} has no argument {min(arguments)!r}")
        match what:
            case "status":
                return {"symbols": len(self.market.symbols), **self.market.segment.counters()}
            case "swap":
                now_ns = time.monotonic_ns()
                self.market.announce_pending(now_ns)
                return {"channels": self.swap(now_ns)}
            case "debug":
                self.market.segment.arrays.living[layout.DEBUG_ON] = int(on)
                return {"debug": on}
        try:
            return self._source.command(what, arguments)
        except TickflagError:
            raise
        except Exception as error:  # noqa: BLE001 - a source is a plugin, and the market must go on
            self._log.error("source failed at a command", command=what, reason=f"{type(error).__name__}: {error}")
            raise TickflagError(f"the source failed at {what!r}: {type(error).__name__}: {error}") from None
