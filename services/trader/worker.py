"""Worker: the process of one trader. Waits for swap events, steps its runner, reports; ends with its supervisor.

It runs in a fork of the fork server. Everything it does to the outside is a message; the segment is mapped read-only.
"""

import contextlib
import ctypes
import faulthandler
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgpack
import zmq

from common.codec import decode_as, decode_event, encode, topic
from common.errors import MessageError, PluginError, SegmentError
from common.layout import HEARTBEAT
from common.messages import Control, Heartbeat
from common.segment import AttachError, Segment
from common.settings import Settings
from common.sockets import CONTROL_IN, EVENTS_IN, RESULTS_OUT, Context, open_socket, receive, try_send
from services.trader.handover import Legacy, inherit, leave
from services.trader.matches import MatchSet
from services.trader.pace import Backoff
from services.trader.plugin import Plugin, load_plugin
from services.trader.results import Results, Tally
from services.trader.runner import Runner
from services.trader.watchlist import WatchList

MS = 1_000_000
RETRY_ROWS_NS = 1 * MS  # a locked row is written within a microsecond, unless its writer is not running
FAILED_FIRST_NS = 100 * MS
FAILED_LIMIT_NS = 5_000 * MS
NO_SEGMENT_NS = 100 * MS
LOOK_NS = 100 * MS  # between looks at control messages, the supervisor and the heartbeat
REFUSED_NS = 100 * MS  # a collector that is away is asked this often
STALE_BEATS = 3

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What the supervisor asks a worker to be."""

    source: Path | EntryPoint
    name: str
    """Empty: the one that the code declares."""
    own: Mapping[str, Any]
    """The trader's own settings."""
    settings: Settings
    log_path: Path

    @property
    def legacy_path(self) -> Path:
        """Where a worker leaves what it hands over, and its successor finds it."""
        return self.log_path.with_suffix(".handover")


def run_worker(order: Order, pipe: Connection, watchdog: Any) -> None:
    """The process's main. `watchdog` holds the monotonic ns at which the present cycle began, 0 between cycles.

    The worker loads the plugin, tells its name, and waits for the word to go, which brings its incarnation: two files
    of one name never both speak to the collector.
    """
    _settle(order)
    watchdog.value = time.monotonic_ns()  # importing has the deadline of a cycle
    try:
        plugin = load_plugin(order.source, order.name, order.own)
    except PluginError as error:
        tell(pipe, state="refused", reason=str(error))
        return
    watchdog.value = 0
    helpers = [str(path) for path in plugin.helpers]
    tell(pipe, state="ready", name=plugin.trader.name, version=plugin.version, helpers=helpers)
    words = _wait_go(pipe)
    if not isinstance(words.get("incarnation"), int):
        return
    context: Context = zmq.Context()
    try:
        worker = Worker(order, words["incarnation"], plugin, context, pipe, watchdog)
        if words.get("inherits"):
            worker.take_over(inherit(order.legacy_path))
        worker.run()
    finally:
        context.destroy(linger=500)


def tell(pipe: Connection, **words: Any) -> None:
    """A word to the other end; msgpack, as everything between processes."""
    pipe.send_bytes(msgpack.packb(words))


def _wait_go(pipe: Connection) -> dict[str, Any]:
    """The word to go, with the incarnation to run as; another or none where the supervisor says stop or is gone."""
    try:
        return dict(msgpack.unpackb(pipe.recv_bytes()))
    except (EOFError, OSError):
        return {}


def _settle(order: Order) -> None:
    """Die with the parent, write to the log file, leave Ctrl-C to the supervisor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.umask(0o077)
    sys.dont_write_bytecode = True  # two edits of a helper within a second could make it stale
    log = os.open(order.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()  # SIGABRT from the supervisor shows where a cycle hangs, in C code too


class Worker:
    """One trader at work. `run` returns when the supervisor says stop or is gone."""

    def __init__(
        self, order: Order, incarnation: int, plugin: Plugin, context: Context, pipe: Connection, watchdog: Any
    ) -> None:
        settings = order.settings
        self._settings, self._plugin, self._pipe, self._watchdog = settings, plugin, pipe, watchdog
        self._runtime = settings.runtime_folder()
        self._legacy_path = order.legacy_path
        self._incarnation = incarnation
        self._events = open_socket(context, self._runtime, EVENTS_IN, topic(plugin.trader.channel))
        self._control = open_socket(context, self._runtime, CONTROL_IN)
        self._results_socket = open_socket(context, self._runtime, RESULTS_OUT)
        self._tally = Tally()
        self._matches = MatchSet()
        self._results = Results(
            plugin.trader.name,
            incarnation,
            self._matches,
            self._tally,
            lambda frame: try_send(self._results_socket, frame),
            settings.trader.deltas,
            settings.trader.compress_from_bytes,
            plugin.trader.score_step,
        )
        self._runner: Runner | None = None
        self._segment_name = b""
        self._backoff = Backoff(FAILED_FIRST_NS, FAILED_LIMIT_NS)
        self._step_from_ns = 0  # not before; after a failure or a locked row
        self._attach_from_ns = 0
        self._unblock_ns = 0  # when a refused result is tried again; 0: none was refused
        self._beat_due_ns = 0
        self._look_due_ns = 0
        self._wait_ms = 0
        self._stopping = self._replaced = False
        self._error = ""
        self._feed_beat_ns = int(settings.feed.heartbeat_ms * MS)
        self._own_beat_ns = int(settings.trader.heartbeat_ms * MS)
        self._look_ns = min(LOOK_NS, self._feed_beat_ns, self._own_beat_ns)

    def run(self) -> None:
        while not self._stopping:
            now_ns = time.monotonic_ns()
            if now_ns >= self._look_due_ns:
                self._look(now_ns)
            runner = self._runner
            if runner is not None and now_ns >= self._step_from_ns and runner.pending(now_ns):
                self._step(runner, now_ns)
                continue  # a cycle may have been closed meanwhile, and its event lost
            self._await_event(self._wait_ns(now_ns))
        if self._replaced:  # no last word: the trader goes on
            leave(self._legacy_path, Legacy(self._matches.scores()))
        else:
            self._beat("stopped")

    def take_over(self, legacy: Legacy) -> None:
        """Begin with what a predecessor left, before `run`. A match that the watch list does not want any more is
        dropped here, as it would never be evaluated again."""
        trader = self._plugin.trader
        watch = WatchList(trader.watch, trader.exclude, 0)
        self._matches.restore({symbol: score for symbol, score in legacy.matches.items() if watch.wants(symbol)})

    def _look(self, now_ns: int) -> None:
        """Everything but events, at a slow pace of its own: a wake-up for an event looks at nothing else."""
        self._look_due_ns = now_ns + self._look_ns
        if self._pipe.poll():
            self._take_word()
        self._take_control()
        if self._runner is None and now_ns >= self._attach_from_ns:
            self._attach(now_ns)
        if self._unblock_ns and now_ns >= self._unblock_ns:
            self._unblock_ns = 0
            self._results.blocked = False
        if now_ns >= self._beat_due_ns:
            self._check_feed(now_ns)
            self._beat("failing" if self._error else "running" if self._feed_alive(now_ns) else "waiting")
            self._beat_due_ns = now_ns + self._own_beat_ns

    def _step(self, runner: Runner, now_ns: int) -> None:
        self._watchdog.value = now_ns
        try:
            runner.step(time.time_ns(), now_ns, self._between_chunks)
        except PluginError as error:
            runner.fail()
            if str(error) != self._error:  # the same fault again and again is one line in the log
                sys.stderr.write(f"{error}\n")
                sys.stderr.flush()
            self._error = str(error)
            self._step_from_ns = now_ns + self._backoff.failed()
        else:
            if self._error:
                self._error = ""
                self._backoff.succeeded()
            self._step_from_ns = now_ns + RETRY_ROWS_NS if runner.retrying else 0
            if self._results.blocked and not self._unblock_ns:
                self._unblock_ns = now_ns + REFUSED_NS
        finally:
            self._watchdog.value = 0

    def _between_chunks(self) -> None:
        """Long cycles stay responsive: control and heartbeat are served, and the deadline is for a chunk."""
        now_ns = time.monotonic_ns()
        self._watchdog.value = now_ns
        self._take_control()
        if now_ns >= self._beat_due_ns:
            self._beat("running")
            self._beat_due_ns = now_ns + self._own_beat_ns

    def _wait_ns(self, now_ns: int) -> int:
        """Until the next thing that no event tells of. Whole looks where nothing presses: setting another time at
        each wake-up costs more than to be late by a part of a look."""
        due_ns: int | None = self._step_from_ns
        if self._step_from_ns <= now_ns:
            due_ns = None if self._runner is None else self._runner.due_ns()
        return self._look_ns if due_ns is None else max(0, min(due_ns - now_ns, self._look_ns))

    def _attach(self, now_ns: int) -> None:
        """Take the current generation, if there is one."""
        try:
            segment = Segment.attach_current(self._runtime)
        except AttachError as error:
            self._attach_from_ns = now_ns + NO_SEGMENT_NS
            self._error = "" if error.state.name in ("MISSING", "NOT_READY") else str(error)
            return
        try:
            self._runner = Runner(
                segment, self._plugin, self._settings.trader, self._matches, self._results, self._tally
            )
        except (SegmentError, ValueError) as error:  # it asks for what this feed does not keep
            segment.close()
            self._attach_from_ns = now_ns + int(STALE_BEATS * self._feed_beat_ns)
            if str(error) != self._error:
                sys.stderr.write(f"trader {self._plugin.trader.name!r}: {error}\n")
                sys.stderr.flush()
            self._error = str(error)
            return
        self._segment_name = segment.path.name.encode()
        self._error = ""
        self._step_from_ns = 0

    def _await_event(self, wait_ns: int) -> None:
        """Wait for an event. It is a hint, and has done its work by waking us. Only one that names another segment is
        worth reading: it may speak of another generation."""
        wait_ms = -(-wait_ns // MS)
        if wait_ms != self._wait_ms:
            self._events.rcvtimeo = self._wait_ms = wait_ms
        try:
            frame = self._events.recv()
        except zmq.Again:
            return
        runner = self._runner
        if runner is None or self._segment_name in frame:
            return
        try:
            event = decode_event(frame)
        except MessageError:
            return
        if event.generation != runner.segment.generation:
            self._move()

    def _check_feed(self, now_ns: int) -> None:
        """A feed that shows no life for three beats may have been replaced."""
        if self._runner is not None and not self._feed_alive(now_ns):
            self._move()

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
            self._runner = None
            runner.segment.close()
            self._attach_from_ns = 0

    def _take_control(self) -> None:
        frame = receive(self._control)
        if frame is None:
            return
        try:
            control = decode_as(Control, frame)
        except MessageError:
            return
        token = control.resync.get(self._plugin.trader.name, 0)
        if token:
            self._results.ask_snapshot(token)

    def _take_word(self) -> None:
        """The supervisor says stop, or that another worker takes over, or is gone."""
        with contextlib.suppress(EOFError, OSError):
            self._replaced = bool(msgpack.unpackb(self._pipe.recv_bytes()).get("replaced"))
        self._stopping = True

    def _beat(self, state: str) -> None:
        tally, results = self._tally, self._results
        heartbeat = Heartbeat.model_construct(
            trader=self._plugin.trader.name,
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
            cpu_ns=time.process_time_ns(),
        )
        try_send(self._results_socket, encode(heartbeat))
