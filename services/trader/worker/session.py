"""Post: one trader at work: attaches to the segment, steps its runner, reports. Its process gives it the turns."""

import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

from common.codec import decode_event, encode
from common.errors import MessageError, PluginError, SegmentError
from common.layout import HEARTBEAT
from common.messages import Control, Heartbeat
from common.runtime import Runtime
from common.segment import AttachError, Segment, interval_seconds
from common.settings import Settings
from services.trader.cost import Cost
from services.trader.handover import Legacy, leave
from services.trader.matches import MatchSet
from services.trader.order import Order
from services.trader.oversight import STALE_BEATS, Oversight, announced_within_ns
from services.trader.pace import Backoff
from services.trader.plugin import Plugin
from services.trader.results import Results, Tally
from services.trader.runner import Runner
from services.trader.state import StateStore
from services.trader.switches import Switches
from services.trader.watchlist import WatchList

MS = 1_000_000
RETRY_ROWS_NS = 1 * MS  # a locked row is written within a microsecond, unless its writer is not running
FAILED_FIRST_NS = 100 * MS
FAILED_LIMIT_NS = 5_000 * MS
NO_SEGMENT_NS = 100 * MS
REFUSED_NS = 100 * MS  # a collector that is away is asked this often
TOO_LARGE_NS = 5_000 * MS  # a result that no message can hold is built again this often
SLOW_AGAIN_NS = 60_000 * MS
STACK_FRAMES = 8
STACK_CHARACTERS = 4_000
STACKS = 100  # of one life: words that are other ones every time must not flood the log


class Post:
    """`send` gives False where a message cannot be taken. One thread."""

    def __init__(
        self,
        order: Order,
        plugin: Plugin,
        incarnation: int,
        settings: Settings,
        runtime: Runtime,
        send: Callable[[bytes], bool],
    ) -> None:
        trader = plugin.trader
        self.name, self.channel = trader.name, trader.channel
        self._order, self._plugin, self._incarnation, self._send = order, plugin, incarnation, send
        self._settings, self._runtime = settings, runtime
        self._tally = Tally()
        self._matches = MatchSet()
        self._state = StateStore(trader.state) if trader.state else None
        self._results = Results(
            trader.name, incarnation, self._matches, self._tally, send,
            settings.trader.deltas, settings.trader.compress_from_bytes, trader.score_step,
        )  # fmt: skip
        self._oversight = Oversight(trader.name, incarnation, settings, self._tally, send)
        self._switches = Switches(trader, settings.flags)
        self._process_all = False
        self._runner: Runner | None = None
        self._covered: tuple[int, dict[str, int]] = (0, {})  # lineage and versions seen in it, to go on from
        self._segment_name = b""
        self._backoff = Backoff(FAILED_FIRST_NS, FAILED_LIMIT_NS)
        self._step_from_ns = 0  # not before; after a failure or a locked row
        self._attach_from_ns = 0
        self._unblock_ns = 0  # when a refused result is tried again; 0: none was refused
        self._beat_due_ns = 0
        self._error = ""
        self._stacks: set[str] = set()  # the faults whose stack is in the log
        self._cpu_ns = 0
        self._cost = Cost(_period_ns(plugin, settings), settings.trader.slow_share)
        self.slow = ""
        """That its cycles take too long, and how long; of the last minute."""
        self._slow_due_ns = 0
        self._feed_beat_ns = int(settings.feed.heartbeat_ms * MS)
        self._own_beat_ns = int(settings.trader.heartbeat_ms * MS)

    def take_over(self, legacy: Legacy) -> None:
        """Begin with what a predecessor left, before the first turn. A match that the watch list does not want any
        more is dropped here, as it would never be evaluated again."""
        trader = self._plugin.trader
        watch = WatchList(trader.watch, trader.exclude, 0)
        matches = {symbol: score for symbol, score in legacy.matches.items() if watch.wants(symbol)}
        self._matches.restore(matches, legacy.notes)
        if self._state is not None and (legacy.version, legacy.kind) == (self._plugin.version, self._state.kind):
            self._state.restore(legacy.numbers)
            self._covered = (legacy.lineage, {symbol: numbers[0] for symbol, numbers in legacy.numbers.items()})

    def hand_over(self) -> None:
        """Leave everything to a successor, in place of a last word: the trader goes on."""
        state = self._state
        lineage, seen = self._progress
        legacy = Legacy(
            self._matches.scores(),
            self._matches.notes,
            self._plugin.version,
            lineage,
            state.saved(seen) if state is not None else {},
            state.kind if state is not None else "",
        )
        leave(self._order.legacy_path, legacy)

    def ready(self, now_ns: int) -> bool:
        """A step has something to do."""
        return self._runner is not None and now_ns >= self._step_from_ns and self._runner.pending(now_ns)

    def step(self, now_ns: int, between: Callable[[], None]) -> None:
        """One cycle of its runner. Faults of the plugin stay here."""
        runner = self._runner
        assert runner is not None
        began_ns, began_cpu_ns, processed = time.monotonic_ns(), time.thread_time_ns(), self._tally.processed
        time_ns, cycles = time.time_ns(), self._tally.cycles
        try:
            runner.step(time_ns, now_ns, between)
        except PluginError as error:
            self._failed(str(error), now_ns, error.__cause__)
        except KeyboardInterrupt:  # Ctrl-C does not come here: it is the trader that raised it
            self._failed(f"trader {self.name!r}: raised KeyboardInterrupt", now_ns)
        except MessageError as error:  # the step is done, its result is not sent
            self._complain(str(error))
            self._oversight.failed(runner.target, "raise", str(error))
            self._unblock_ns = now_ns + TOO_LARGE_NS
        else:
            if self._error and not self._results.blocked:
                self._error = ""
                self._backoff.succeeded()
            self._step_from_ns = now_ns + RETRY_ROWS_NS if runner.retrying else 0
            if self._results.blocked and not self._unblock_ns:
                self._unblock_ns = now_ns + REFUSED_NS
        cpu_ns = time.thread_time_ns() - began_cpu_ns
        processed = self._tally.processed - processed
        self._cpu_ns += cpu_ns
        self._cost.add(time.monotonic_ns() - began_ns, cpu_ns, processed)
        if self._tally.cycles != cycles:
            self._oversight.after_cycle(runner, time_ns, now_ns, between, cpu_ns, processed)

    def look(self, now_ns: int) -> None:
        """Everything but steps: attach, try a refused result again, report when due."""
        if self._runner is None and now_ns >= self._attach_from_ns:
            self._attach(now_ns)
        if self._unblock_ns and now_ns >= self._unblock_ns:
            self._unblock_ns = 0
            self._results.blocked = False
        self._oversight.between_cycles(self._runner, now_ns, self._feed_alive(now_ns))
        if now_ns >= self._beat_due_ns:
            if not self._feed_alive(now_ns):  # for three beats: it may have been replaced
                self._move()
            self.beat(self._state_now(now_ns), now_ns)
            self._judge(now_ns)

    def beat_if_due(self, now_ns: int) -> None:
        """A sign of life out of a long step, its own or another's."""
        if now_ns >= self._beat_due_ns:
            self.beat(self._state_now(now_ns), now_ns)

    def due_ns(self, now_ns: int) -> int | None:
        """When a step has something to do without any event; None where only an event brings it."""
        if self._runner is None:
            return None
        if self._step_from_ns > now_ns:
            return self._step_from_ns
        return self._runner.due_ns()

    def hear(self, control: Control) -> None:
        """The collector's state: it may want a snapshot, trust the flags no more, or switch something on or off."""
        process_all = self.name in control.process_all
        try:
            switched = self._switches.follow(control.features)
        except MessageError as error:
            switched = False
            _log(f"trader {self.name!r}: feature flags not taken: {error}")
        if switched or process_all != self._process_all:
            self._process_all = process_all
            self._apply_switches()
        token = control.resync.get(self.name, 0)
        if token:
            self._results.ask_snapshot(token)

    def _apply_switches(self) -> None:
        """Whenever one changed, or the runner is another."""
        settings = self._settings.trader
        self._switches.apply(settings, self._plugin, self._results, self._runner, not self._process_all)
        self._oversight.wanted = self._switches.on("audit")

    def take_event(self, frame: bytes) -> None:
        """An event is a hint, and has done its work by waking us. Only one that names another segment is worth reading:
        it may speak of another generation."""
        runner = self._runner
        if runner is None or self._segment_name in frame:
            return
        try:
            event = decode_event(frame)
        except MessageError:
            return
        if event.generation != runner.segment.generation:
            self._move()

    def _failed(self, fault: str, now_ns: int, cause: BaseException | None = None) -> None:
        assert self._runner is not None
        self._runner.fail()
        self._complain(fault, cause)
        self._oversight.failed(self._runner.target, "raise", fault, _stack(cause) if cause is not None else "")
        self._step_from_ns = now_ns + self._backoff.failed()

    def _judge(self, now_ns: int) -> None:
        """Whether it is slow. Its numbers change all the time, and are news once a minute."""
        slow = self._cost.remark()
        if bool(slow) != bool(self.slow) or now_ns >= self._slow_due_ns:
            self.slow, self._slow_due_ns = slow, now_ns + SLOW_AGAIN_NS

    def _complain(self, fault: str, cause: BaseException | None = None) -> None:
        """The same fault again and again is one line in the log, and its stack is there once."""
        if fault != self._error:
            _log(fault)
            if cause is not None and fault not in self._stacks and len(self._stacks) < STACKS:
                self._stacks.add(fault)
                sys.stderr.write(_stack(cause))
            sys.stderr.flush()
        self._error = fault

    def _attach(self, now_ns: int) -> None:
        """Take the current generation, if there is one."""
        try:
            segment = Segment.attach_current(self._runtime)
        except AttachError as error:
            self._attach_from_ns = now_ns + NO_SEGMENT_NS
            self._error = "" if error.state.name in ("MISSING", "NOT_READY") else str(error)
            if self._error:
                self._oversight.failed(0, "segment", self._error)
            return
        try:
            self._runner = Runner(
                segment, self._plugin, self._settings.trader, self._matches, self._results, self._tally, self._state,
                announced_within_ns(self._settings),
            )  # fmt: skip
        except (SegmentError, ValueError) as error:  # it asks for what this feed does not keep
            segment.close()
            self._attach_from_ns = now_ns + int(STALE_BEATS * self._feed_beat_ns)
            self._complain(f"trader {self.name!r}: {error}")
            return
        self._apply_switches()
        lineage, seen = self._covered
        if lineage == segment.lineage:
            self._runner.resume(seen)
        self._covered = (0, {})
        self._segment_name = segment.path.name.encode()
        self._error = ""
        self._step_from_ns = 0

    @property
    def _progress(self) -> tuple[int, dict[str, int]]:
        """Lineage of the segments that it was at last, and the versions that it saw there."""
        return self._covered if self._runner is None else (self._runner.segment.lineage, self._runner.versions())

    def _feed_alive(self, now_ns: int) -> bool:
        if self._runner is None:
            return False
        beat_ns = int(self._runner.segment.arrays.living[HEARTBEAT])
        return now_ns - beat_ns <= STALE_BEATS * self._feed_beat_ns

    def _move(self) -> None:
        """Attach the current segment where it is another one (GenerationFence); else keep everything."""
        runner = self._runner
        name = self._runtime.read_pointer()
        if runner is not None and name is not None and name != runner.segment.path.name:
            if self._state is not None or self._plugin.trader.every_close:
                self._covered = self._progress
            self._runner = None
            runner.segment.close()
            self._attach_from_ns = 0

    def _state_now(self, now_ns: int) -> str:
        return "failing" if self._error else "running" if self._feed_alive(now_ns) else "waiting"

    def beat(self, state: str, now_ns: int) -> None:
        """Tell the collector how it is; `state` as in a heartbeat."""
        self._beat_due_ns = now_ns + self._own_beat_ns
        self._oversight.beat(self._runner)
        tally, results = self._tally, self._results
        heartbeat = Heartbeat.model_construct(
            trader=self.name,
            owner=self._plugin.trader.owner,
            incarnation=self._incarnation,
            seq=results.seq,
            cycle=self._runner.done if self._runner else 0,
            time_ms=time.time_ns() // MS,
            cycles=tally.cycles,
            flagged=tally.flagged,
            processed=tally.processed,
            skipped=tally.skipped,
            bytes_sent=tally.bytes_sent,
            bytes_full=tally.bytes_full,
            bytes_wire=tally.bytes_wire,
            pid=os.getpid(),
            state=state,
            matches=self._matches.count,
            failures=tally.failures,
            error=self._error[:4096],
            fast=tally.fast,
            retried=tally.retried,
            gaps=tally.gaps,
            batched=tally.batched,
            cpu_ns=self._cpu_ns,
            cost_ns=self._cost.wall_ns,
            cost_cpu_ns=self._cost.cpu_ns,
            flags=self._plugin.trader.flags,
        )
        if not self._send(encode(heartbeat)):  # at the start the connection may not stand yet
            self._beat_due_ns = now_ns + REFUSED_NS


def _log(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")


def _stack(cause: BaseException) -> str:
    """Where it was raised, innermost last, without the frame of ours that called the plugin. Its words are not asked
    for: they may be of any size."""
    trace = cause.__traceback__
    try:
        frames = traceback.format_tb(trace.tb_next if trace else None, limit=-STACK_FRAMES)
    except MemoryError:  # as the trader took it all
        return ""
    return "".join(frames)[-STACK_CHARACTERS:]


def _period_ns(plugin: Plugin, settings: Settings) -> int:
    """The time that its cycles are apart; 0 for none that is known."""
    trader = plugin.trader
    apart_ns = int(settings.feed.min_swap_interval_ms * MS)
    if trader.channel in settings.segment.intervals:
        apart_ns = interval_seconds(trader.channel) * 1_000 * MS
    return max(apart_ns, round(trader.min_interval * 1e9))
