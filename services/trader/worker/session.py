"""TraderSession: one trader at work. It attaches to the segment, steps its runner, and reports.

The Worker decides when the session does each of these.
"""

import os
import time
from collections.abc import Callable

from tickflag.common.errors import MessageError, PluginError, SegmentError
from tickflag.common.protocol.heartbeat import last_beat
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import AttachError, Segment, interval_seconds
from tickflag.common.settings import Settings
from tickflag.common.settings_schema.feed import STALE_BEATS
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire.codec import decode_event, encode
from tickflag.common.wire.messages import Control, Heartbeat
from tickflag.services.trader.backoff import Backoff
from tickflag.services.trader.evaluation.assembly import assemble
from tickflag.services.trader.evaluation.planning.watchlist import WatchList
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.evaluation.runner import Runner
from tickflag.services.trader.worker.absent_names import AbsentNames
from tickflag.services.trader.worker.cycle_cost import CycleCost
from tickflag.services.trader.worker.fault_log import FaultLog, stack, write_line
from tickflag.services.trader.worker.handover import HandoverState, leave
from tickflag.services.trader.worker.launch_spec import LaunchSpec
from tickflag.services.trader.worker.oversight import Oversight, announced_within_ns

RETRY_ROWS_NS = 1 * NS_PER_MS  # the feed unlocks a row within a microsecond, unless the feed is not running
FAILED_FIRST_NS = 100 * NS_PER_MS
FAILED_LIMIT_NS = 5_000 * NS_PER_MS
NO_SEGMENT_NS = 100 * NS_PER_MS
REFUSED_NS = 100 * NS_PER_MS  # between two tries to send to a collector that is away
TOO_LARGE_NS = 5_000 * NS_PER_MS  # between two tries to build a result that no message can hold
SLOW_AGAIN_NS = 60_000 * NS_PER_MS


class TraderSession:
    """Runs one trader. `send` gives False for a message that it could not send. One thread."""

    def __init__(
        self,
        spec: LaunchSpec,
        plugin: Plugin,
        incarnation: int,
        settings: Settings,
        runtime: Runtime,
        send: Callable[[bytes], bool],
    ) -> None:
        trader = plugin.trader
        self.name, self.channel = trader.name, trader.channel
        self._spec, self._plugin, self._incarnation, self._send = spec, plugin, incarnation, send
        self._runtime = runtime
        parts = assemble(plugin, settings.trader, settings.flags, send, incarnation, announced_within_ns(settings))
        self._parts, self._tally, self._results = parts, parts.tally, parts.results
        self._oversight = Oversight(trader.name, incarnation, settings, parts.switches, parts.tally, send)
        self._runner: Runner | None = None
        self._covered: tuple[int, dict[str, int]] = (0, {})  # a lineage and the versions seen in it, to go on from
        self._segment_name = b""
        self._backoff = Backoff(FAILED_FIRST_NS, FAILED_LIMIT_NS)
        self._step_from_ns = 0  # no step before this time, after a failure or a locked row
        self._attach_from_ns = 0
        self._unblock_ns = 0  # when to try again to send a result; 0: no result waits
        self._beat_due_ns = 0
        self._faults = FaultLog()
        self._cpu_ns = 0
        self._cost = CycleCost(_period_ns(plugin, settings), settings.trader.slow_share)
        self.slow = ""
        """A text saying that the cycles take too long; empty where they do not. Its numbers change once a minute."""
        self._slow_due_ns = 0
        self.absent_names = AbsentNames(trader)
        self._feed_beat_ns = int(settings.feed.heartbeat_ms * NS_PER_MS)
        self._own_beat_ns = int(settings.trader.heartbeat_ms * NS_PER_MS)

    def take_over(self, left: HandoverState) -> None:
        """Begin with what a predecessor left. Call it before the first step.

        A match that the watch list no longer wants is dropped here: the trader would never evaluate it again.
        """
        trader, state = self._plugin.trader, self._parts.state
        watch = WatchList(trader.watch, trader.exclude, 0)
        matches = {symbol: score for symbol, score in left.matches.items() if watch.wants(symbol)}
        self._parts.matches.restore(matches, left.notes)
        if state.kind and (left.version, left.kind) == (self._plugin.version, state.kind):
            state.restore(left.numbers)
            self._covered = (left.lineage, {symbol: numbers[0] for symbol, numbers in left.numbers.items()})

    def hand_over(self) -> None:
        """Leave everything to a successor. No last heartbeat is sent, as the trader goes on."""
        matches, state = self._parts.matches, self._parts.state
        lineage, seen = self._progress
        left = HandoverState(
            matches.scores(), matches.notes, self._plugin.version, lineage, state.saved(seen), state.kind
        )
        leave(self._spec.handover_path, left)

    def ready(self, now_ns: int) -> bool:
        """Whether a step has something to do."""
        return self._runner is not None and now_ns >= self._step_from_ns and self._runner.pending(now_ns)

    def step(self, now_ns: int, between: Callable[[], None]) -> None:
        """Step the runner; `between` is called between chunks. Faults of the plugin do not get out of here."""
        runner = self._runner
        assert runner is not None
        began_ns, began_cpu_ns, processed = time.monotonic_ns(), time.thread_time_ns(), self._tally.processed
        time_ns, cycles, gaps = time.time_ns(), self._tally.cycles, self._tally.gaps
        try:
            runner.step(time_ns, now_ns, between)
        except PluginError as error:
            self._failed(runner, str(error), now_ns, error.__cause__)
        except KeyboardInterrupt:  # a worker ignores Ctrl-C, so the trader raised it
            self._failed(runner, f"trader {self.name!r}: raised KeyboardInterrupt", now_ns)
        except MessageError as error:  # the step is committed, but its result was not sent
            self._faults.write(str(error))
            self._oversight.failed(runner.target, "raise", str(error))
            self._unblock_ns = now_ns + TOO_LARGE_NS
        else:
            if self._faults.current and not self._results.blocked:
                self._faults.current = ""
                self._backoff.succeeded()
            self._step_from_ns = now_ns + RETRY_ROWS_NS if runner.owes_exact else 0
            if self._results.blocked and not self._unblock_ns:
                self._unblock_ns = now_ns + REFUSED_NS
        cpu_ns = time.thread_time_ns() - began_cpu_ns
        processed = self._tally.processed - processed
        self._cpu_ns += cpu_ns
        self._cost.add(time.monotonic_ns() - began_ns, cpu_ns, processed)
        if self._tally.cycles != cycles:
            lost_closes = self._tally.gaps != gaps
            self._oversight.after_cycle(runner, time_ns, now_ns, between, cpu_ns, processed, lost_closes)

    def housekeep(self, now_ns: int) -> None:
        """Do everything but steps: attach, let a result be sent again, report when due."""
        if self._runner is None and now_ns >= self._attach_from_ns:
            self._attach(now_ns)
        if self._unblock_ns and now_ns >= self._unblock_ns:
            self._unblock_ns = 0
            self._results.blocked = False
        self._oversight.between_cycles(self._runner, now_ns, self._feed_alive(now_ns))
        if now_ns >= self._beat_due_ns:
            if not self._feed_alive(now_ns):  # silent for three beats: another feed may have made a new segment
                self._move()
            self.beat(self._state_now(now_ns), now_ns)
            self._judge_cost(now_ns)
            if self._runner is not None:
                self.absent_names.judge(self._runner.segment)

    def beat_if_due(self, now_ns: int) -> None:
        """Send a heartbeat if it is due, in the middle of a long step of this session or of another."""
        if now_ns >= self._beat_due_ns:
            self.beat(self._state_now(now_ns), now_ns)

    def due_ns(self, now_ns: int) -> int | None:
        """When a step is due without an event; None where only an event makes one due."""
        if self._runner is None:
            return None
        if self._step_from_ns > now_ns:
            return self._step_from_ns
        return self._runner.due_ns()

    def follow_control(self, control: Control) -> None:
        """Do what the control state says: send a snapshot, trust the flags or not, switch something on or off."""
        switches = self._parts.switches
        anew = switches.trust(self.name not in control.process_all)
        try:
            anew |= switches.follow(control.features)
        except MessageError as error:
            write_line(f"trader {self.name!r}: feature flags not taken: {error}")
        if anew and self._runner is not None:
            self._runner.reevaluate()
        token = control.resync.get(self.name, 0)
        if token:
            self._results.ask_snapshot(token)

    def follow_event(self, frame: bytes) -> None:
        """Move to another generation where the swap event comes from one. An event of the attached segment needs no
        reading: it has done its work by waking the process."""
        runner = self._runner
        if runner is None or self._segment_name in frame:
            return
        try:
            event = decode_event(frame)
        except MessageError:
            return
        if event.generation != runner.segment.generation:
            self._move()

    def _failed(self, runner: Runner, fault: str, now_ns: int, cause: BaseException | None = None) -> None:
        runner.fail()
        self._faults.write(fault, cause)
        self._oversight.failed(runner.target, "raise", fault, stack(cause) if cause is not None else "")
        self._step_from_ns = now_ns + self._backoff.failed()

    def _judge_cost(self, now_ns: int) -> None:
        """Set `slow`: at once when the trader becomes slow or stops being slow, else once a minute."""
        slow = self._cost.remark()
        if bool(slow) != bool(self.slow) or now_ns >= self._slow_due_ns:
            self.slow, self._slow_due_ns = slow, now_ns + SLOW_AGAIN_NS

    def _attach(self, now_ns: int) -> None:
        """Attach the current segment, if there is one."""
        try:
            segment = Segment.attach_current(self._runtime)
        except AttachError as error:
            self._attach_from_ns = now_ns + NO_SEGMENT_NS
            self._faults.current = "" if error.state.name in ("MISSING", "NOT_READY") else str(error)
            if self._faults.current:
                self._oversight.failed(0, "segment", self._faults.current)
            return
        try:
            self._runner = Runner(segment, self._parts)
        except (SegmentError, ValueError) as error:  # the trader asks for what this feed does not keep
            segment.close()
            self._attach_from_ns = now_ns + int(STALE_BEATS * self._feed_beat_ns)
            self._faults.write(f"trader {self.name!r}: {error}")
            return
        lineage, seen = self._covered
        if lineage == segment.lineage:
            self._runner.resume(seen)
        self._covered = (0, {})
        self._segment_name = segment.path.name.encode()
        self._faults.current = ""
        self._step_from_ns = 0

    @property
    def _progress(self) -> tuple[int, dict[str, int]]:
        """The lineage of the segment attached last, and the versions seen in it."""
        return self._covered if self._runner is None else (self._runner.segment.lineage, self._runner.versions())

    def _feed_alive(self, now_ns: int) -> bool:
        if self._runner is None:
            return False
        return now_ns - last_beat(self._runner.segment.arrays.living) <= STALE_BEATS * self._feed_beat_ns

    def _move(self) -> None:
        """Give up the attached segment where another one is current (GenerationFence in `docs/protocol.md`)."""
        runner = self._runner
        name = self._runtime.read_pointer()
        if runner is not None and name is not None and name != runner.segment.path.name:
            if self._plugin.trader.state or self._plugin.trader.every_close:
                self._covered = self._progress
            self._runner = None
            runner.segment.close()
            self._attach_from_ns = 0

    def _state_now(self, now_ns: int) -> str:
        return "failing" if self._faults.current else "running" if self._feed_alive(now_ns) else "waiting"

    def beat(self, state: str, now_ns: int) -> None:
        """Send a heartbeat with this `state`."""
        self._beat_due_ns = now_ns + self._own_beat_ns
        self._oversight.beat(self._runner)
        tally, results = self._tally, self._results
        heartbeat = Heartbeat.model_construct(
            trader=self.name,
            owner=self._plugin.trader.owner,
            incarnation=self._incarnation,
            seq=results.seq,
            cycle=self._runner.done if self._runner else 0,
            time_ms=time.time_ns() // NS_PER_MS,
            cycles=tally.cycles,
            flagged=tally.flagged,
            processed=tally.processed,
            skipped=tally.skipped,
            bytes_sent=tally.bytes_sent,
            bytes_full=tally.bytes_full,
            bytes_wire=tally.bytes_wire,
            pid=os.getpid(),
            state=state,
            matches=self._parts.matches.count,
            failures=tally.failures,
            error=self._faults.current[:4096],
            fast=tally.fast,
            retried=tally.retried,
            gaps=tally.gaps,
            batched=tally.batched,
            cpu_ns=self._cpu_ns,
            cost_ns=self._cost.wall_ns,
            cost_cpu_ns=self._cost.cpu_ns,
            flags=self._plugin.trader.flags,
            cost_sum_ns=self._cost.all.sum_ns,
            cost_buckets=self._cost.all.buckets,
            channel=self._plugin.trader.channel,
            lapped=tally.lapped,
        )
        if not self._send(encode(heartbeat)):  # at the start there may be no connection yet
            self._beat_due_ns = now_ns + REFUSED_NS


def _period_ns(plugin: Plugin, settings: Settings) -> int:
    """The least time between two cycles of the trader; 0 where there is no limit."""
    trader = plugin.trader
    apart_ns = int(settings.feed.min_swap_interval_ms * NS_PER_MS)
    if trader.channel in settings.segment.intervals:
        apart_ns = interval_seconds(trader.channel) * NS_PER_S
    return max(apart_ns, round(trader.min_interval * NS_PER_S))
