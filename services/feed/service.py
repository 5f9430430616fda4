"""Feed: drives source and market by the clock. A turn applies what came and does what is due; then the feed waits."""

import select
import time
from typing import Any

from tickflag.common.clock import SystemClock
from tickflag.common.errors import MessageError, SegmentError, TickflagError
from tickflag.common.kept_switch import KeptSwitch
from tickflag.common.lifecycle import Stop
from tickflag.common.log import Logger
from tickflag.common.runtime import SEGMENT_SUFFIX, Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS, NS_PER_S, S_PER_HOUR
from tickflag.common.wire.arguments import Arguments
from tickflag.common.wire.connection_guard import ConnectionGuard
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.responder import Responder, replied
from tickflag.common.wire.sockets import CONTROL_IN, EVENTS_OUT, FEED_COMMANDS_SERVER, Context, open_socket
from tickflag.services.feed.bridged_clock import BridgedClock
from tickflag.services.feed.history import History
from tickflag.services.feed.left_out import LeftOut, most
from tickflag.services.feed.market.growth import grown
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.publisher import SwapPublisher
from tickflag.services.feed.rate_limits import RateLimits
from tickflag.services.feed.sources.source import Source, Venue
from tickflag.services.feed.swap_times import SwapTimes
from tickflag.services.feed.turn import Turns

DEBUG_RING_ON = "debug-ring.on"
"""File of the state folder that is there while the debug ring is on."""
LONGEST_WAIT_NS = 1 * NS_PER_S
QUIET_NS = 1 * NS_PER_S  # between two warnings about bad requests


class Feed:
    """The service. Its creator holds the role `feed`. The feed makes the segment, and removes it in `close`."""

    def __init__(self, settings: Settings, runtime: Runtime, context: Context, source: Source, log: Logger) -> None:
        feed = settings.feed
        self._settings, self._runtime, self._log = settings, runtime, log
        self._turns = Turns(int(feed.min_swap_interval_ms * NS_PER_MS), self._close_cycles)
        self._heartbeat_ns = int(feed.heartbeat_ms * NS_PER_MS)
        self._source = source
        self._debug = KeptSwitch(settings.state_folder() / DEBUG_RING_ON, default=False)
        self._history = History(feed, runtime, log)
        self._remove_stale_files()
        plan = layout.plan(settings.segment.capacity, settings.segment.depth, settings.intervals_s)
        self.market = MarketWriter(
            Segment.create(runtime, plan),
            int(feed.rate_limit_ms * NS_PER_MS),
            int(feed.watermark_ms * NS_PER_MS),
        )
        self.market.bound_times(int(feed.ahead_limit_s * NS_PER_S), int(feed.behind_limit_s * NS_PER_S))
        self.market.segment.arrays.living[layout.DEBUG_ON] = int(self._debug.on)
        self._may_grow = settings.segment.growth
        self._beat_due_ns = 0
        self._control = open_socket(context, runtime, CONTROL_IN)
        self._limits = RateLimits(self._control, settings.flags)
        self._events = open_socket(context, runtime, EVENTS_OUT, hidden=True)
        self._commands = open_socket(context, runtime, FEED_COMMANDS_SERVER, hidden=True)
        bound = {EVENTS_OUT.endpoint: self._events, FEED_COMMANDS_SERVER.endpoint: self._commands}
        self._guard = ConnectionGuard(context, bound, log)
        self._responder = Responder(self._commands, self._answer, self._drop, 1)
        self._dropped = 0
        self._quiet_until_ns = 0
        self._publisher = SwapPublisher(self._events)
        self._swap_times = SwapTimes()
        self._left_out = LeftOut(log)
        self._clock = BridgedClock(SystemClock(), log)
        now_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        self.market.begin(self._history.covered_ns())
        for past in self._history.batches(self.slot, wall_ns, self.market.next_watermark_ns):
            past.apply(self.market, now_ns)
        for batch in source.open(self._venue(plan.intervals_s, now_ns, wall_ns)):
            self.market.apply_saved(batch, now_ns, plan.intervals_s, S_PER_HOUR)
        self.market.begin(source.covered_ns(wall_ns))
        self.market.beat(time.monotonic_ns())
        self.market.segment.publish(runtime)
        log.info(
            "feed ready",
            source=settings.feed.source,
            symbols=len(self.market.symbols),
            segment=self.market.segment.path.name,
            bytes=self.market.segment.nbytes,
        )

    def _venue(self, intervals_s: tuple[int, ...], now_ns: int, wall_ns: int) -> Venue:
        return Venue(
            self.slot, intervals_s, now_ns, wall_ns, self._log, lambda event_ns: self.market.next_watermark_ns(event_ns)
        )

    def slot(self, name: str) -> int:
        """The symbol's slot; -1 where there is no room, which the log says once, or where the name is not valid."""
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
        """Run turns until a stop is requested."""
        commands = self._commands.fileno()
        descriptors = [stop.fileno(), commands, *self._source.descriptors()]
        asked = False
        while True:
            due_ns = self.turn()
            wait_s = 0.0 if asked else max(0.0, (due_ns - time.monotonic_ns()) / NS_PER_S)
            # `select` and not `poll`, which waits whole milliseconds: that may be more than a swap interval.
            ready, _, _ = select.select(descriptors, (), (), wait_s)
            # ZeroMQ's descriptor becomes readable once for all that came. So a request is answered in each turn until
            # none is left.
            asked = (asked or commands in ready) and bool(self._responder.step())
            if stop.fileno() in ready and stop.requested:
                return

    def turn(self) -> int:
        """Apply what the source has and do what is due; gives the monotonic time of the next turn at the latest."""
        now_ns, wall_ns = self._clock.read()
        for batch in self._source.drain(now_ns, wall_ns):
            self.market.apply(batch, now_ns)
        market = self.market  # a new one where the segment grew
        due_ns = self._turns.run(market, now_ns, self._source.event_ns(now_ns, wall_ns))
        if now_ns >= self._beat_due_ns:
            market.beat(now_ns)
            self._swap_times.write(market.segment)
            self._publisher.repeat()
            if self._limits.refresh():
                market.limit(self._limits.mask(market.symbols.names), now_ns)
                due_ns = now_ns  # a change of the limits makes the deferred announcements
            self._left_out.tell(market, now_ns)
            self._beat_due_ns = now_ns + self._heartbeat_ns
        due_ns = min(due_ns, self._beat_due_ns, now_ns + LONGEST_WAIT_NS)
        source_ns = self._source.next_ns()
        return due_ns if source_ns is None else min(due_ns, source_ns)

    def close(self) -> None:
        """Make the deferred announcements, remove segment and sockets, and keep the candles for the next start."""
        self._turns.flush(self.market, time.monotonic_ns())
        self._source.close()
        self._guard.close()
        self._control.close()
        self._events.close()
        self._commands.close()
        self._runtime.pointer.unlink(missing_ok=True)
        self.market.segment.path.unlink(missing_ok=True)
        for role in (EVENTS_OUT, FEED_COMMANDS_SERVER):
            (self._runtime.folder / role.endpoint).unlink(missing_ok=True)
        self._history.save(self.market, time.time_ns())
        self._log.info("feed stopped", **self.market.segment.counters())
        self.market.segment.close()

    def _close_cycles(self, now_ns: int) -> int:
        """Close and announce the cycle of every channel with flags; gives how many."""
        began_ns = time.monotonic_ns()
        closed = self.market.swap(self._publisher.send, now_ns)
        if closed:
            self._swap_times.add(began_ns, time.monotonic_ns())
        self.market.beat(now_ns)
        return closed

    def _grow(self) -> None:
        """Go on in a new generation of twice the capacity; where that cannot be made, the present one stays."""
        now_ns = time.monotonic_ns()
        old = self.market
        self._turns.flush(old, now_ns)
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

    def _remove_stale_files(self) -> None:
        """Remove what a crashed feed left. This process holds the role, so no living feed owns these files."""
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

    def _carried_out(self, what: str, values: dict[str, Any]) -> Any:
        arguments = Arguments(what, values)
        match what:
            case "status":
                arguments.end()
                counters = self.market.segment.counters()
                return {"symbols": len(self.market.symbols), **counters, "left_out": most(self.market)}
            case "swap":
                arguments.end()
                return {"channels": self._turns.flush(self.market, time.monotonic_ns())}
            case "debug":
                on = arguments.switch("on")
                arguments.end()
                if trouble := self._debug.set(on):
                    self._log.warning("the switch of the debug ring is not kept", reason=trouble)
                self.market.segment.arrays.living[layout.DEBUG_ON] = int(on)
                return {"debug": on}
        try:
            return self._source.command(what, arguments)
        except TickflagError:
            raise
        except Exception as error:  # noqa: BLE001 - a source is a plugin, and the market must go on
            self._log.error("source failed at a command", command=what, reason=f"{type(error).__name__}: {error}")
            raise TickflagError(f"the source failed at {what!r}: {type(error).__name__}: {error}") from None
