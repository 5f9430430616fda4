"""Worker: a process that runs one trader, or those of a group. It waits for swap events, and steps each trader.

The process is forked from the fork server, and ends with its supervisor. It affects the others by messages only: the
segment is mapped read-only.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import msgpack
import zmq

from tickflag.common import probe
from tickflag.common.errors import MessageError, PluginError
from tickflag.common.jit import warming
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire.codec import decode_as, topic
from tickflag.common.wire.messages import Control
from tickflag.common.wire.sockets import (
    CONTROL_IN,
    EVENTS_IN,
    LINGER_MS,
    RESULTS_OUT,
    Context,
    open_socket,
    receive,
    try_send,
)
from tickflag.services.trader.evaluation.plugin.loading import forget
from tickflag.services.trader.evaluation.plugin.plugin import Plugin, load_plugin
from tickflag.services.trader.warmup import warm_up
from tickflag.services.trader.worker.activity_word import ActivityWord
from tickflag.services.trader.worker.confine import confine
from tickflag.services.trader.worker.handover import inherit
from tickflag.services.trader.worker.launch_spec import LaunchSpec
from tickflag.services.trader.worker.session import TraderSession

HOUSEKEEPING_NS = 100 * NS_PER_MS  # at most, between two looks at control messages, the supervisor and the heartbeat


preloaded = True
"""Whether the fork server could run the kernels; else each worker tries again, and its end tells the cause."""


def run_worker(settings: Settings, output: Connection, pipe: Connection, activity_words: Any) -> None:
    """The process's main function; what the process writes goes to `output`. The supervisor's words come through
    `pipe`, each for one member by its number:

    load       load the trader of a launch spec, and tell `ready` with its name or `refused` with the reason
    go         run the trader as `incarnation`; where it `inherits`, with what a predecessor left
    stop       send the collector a last heartbeat, end the trader, and tell `ended`
    replace    leave what the trader has to its successor, end the trader, and tell `ended`
    drop       end the trader at once, and tell `ended`

    A trader sends to the collector from the word `go` on, so two of one name never do so at the same time.
    """
    confine(output, settings.trader.memory_limit_mb)
    if not preloaded:
        with warming("trader", lambda: None):
            warm_up()
    activity = ActivityWord(activity_words)
    activity.memory_bytes = probe.memory_bytes()
    context: Context = zmq.Context()
    try:
        Worker(settings, context, pipe, activity).run()
    finally:
        context.destroy(linger=LINGER_MS)


def send_word(pipe: Connection, **words: Any) -> None:
    """Send a word to the other end; msgpack, as everything between processes."""
    pipe.send_bytes(msgpack.packb(words, default=str))  # TOML's dates become texts, which settings models take as well


@dataclass(slots=True)
class Member:
    """One loaded trader of the process; it has a session from the word `go` on."""

    spec: LaunchSpec
    plugin: Plugin
    session: TraderSession | None = None
    told_slow: str = ""
    """What the supervisor was told last about slow cycles."""
    told_absent: str = ""
    """What the supervisor was told last about symbols that are not there."""


class Worker:
    """Runs the members of the process. `run` returns when the supervisor is gone, or has ended every member."""

    def __init__(self, settings: Settings, context: Context, pipe: Connection, activity: ActivityWord) -> None:
        self._settings, self._pipe, self._activity = settings, pipe, activity
        self._runtime = settings.runtime_folder()
        self._context = context
        self._pid = os.getpid()
        self._members: dict[int, Member] = {}
        self._sessions: tuple[tuple[int, TraderSession], ...] = ()
        self._stopping = False
        self._housekeeping_due_ns = 0
        self._wait_ms = 0
        self._housekeeping_ns = min(
            HOUSEKEEPING_NS, int(settings.feed.heartbeat_ms * NS_PER_MS), int(settings.trader.heartbeat_ms * NS_PER_MS)
        )
        self._words: dict[str, Callable[[int, dict[str, Any]], None]] = {
            "load": self._load,
            "go": self._go,
            "stop": self._stop,
            "replace": self._replace,
            "drop": self._drop,
        }
        # The sockets are opened at the first word `go`: importing a plugin needs none.
        self._events: Any = None
        self._control: Any = None
        self._results: Any = None

    def run(self) -> None:
        while not self._stopping:
            now_ns = time.monotonic_ns()
            if now_ns >= self._housekeeping_due_ns:
                self._housekeep(now_ns)
            stepped = False
            for number, session in self._sessions:
                if session.ready(now_ns):
                    self._activity.begin(number)
                    session.step(now_ns, self._between_chunks)
                    self._end_if_forked()
                    self._activity.end()
                    stepped = True
            if not stepped:  # after a step look again first: a cycle may have been closed meanwhile, and its event lost
                self._wait(now_ns)

    def _housekeep(self, now_ns: int) -> None:
        """Do everything but events and steps, at a slow pace of its own: so a wake-up for an event costs no more than
        the step."""
        self._housekeeping_due_ns = now_ns + self._housekeeping_ns
        while not self._stopping and self._pipe.poll():
            self._follow_word()
        self._follow_control()
        for number, session in self._sessions:
            session.housekeep(now_ns)
            member = self._members[number]
            if member.told_slow != session.slow:
                member.told_slow = session.slow
                send_word(self._pipe, member=number, state="slow", remark=session.slow)
            if member.told_absent != session.absent_names.text:
                member.told_absent = session.absent_names.text
                send_word(self._pipe, member=number, state="absent", remark=session.absent_names.text)

    def _wait(self, now_ns: int) -> None:
        """Wait for an event, or until something is due without one.

        Where nothing is due the timeout is always the same. To set another one at each wake-up would cost more than the
        housekeeping, which so comes a little late, is worth.
        """
        if not self._sessions:  # words alone can bring something
            self._pipe.poll(self._housekeeping_ns / NS_PER_S)
            self._housekeeping_due_ns = 0
            return
        wait_ns = self._housekeeping_ns
        for _, session in self._sessions:
            due_ns = session.due_ns(now_ns)
            if due_ns is not None:
                wait_ns = max(0, min(wait_ns, due_ns - now_ns))
        wait_ms = -(-wait_ns // NS_PER_MS)
        if wait_ms != self._wait_ms:
            self._events.rcvtimeo = self._wait_ms = wait_ms
        try:
            frame = self._events.recv()
        except zmq.Again:
            return
        for _, session in self._sessions:
            session.follow_event(frame)

    def _between_chunks(self) -> None:
        """Serve control state and heartbeats in the middle of a long cycle, and let the deadline count for each
        chunk."""
        now_ns = time.monotonic_ns()
        self._activity.begin(self._activity.member)
        if now_ns < self._housekeeping_due_ns:
            return
        self._housekeeping_due_ns = now_ns + self._housekeeping_ns
        self._follow_control()
        for _, session in self._sessions:
            session.beat_if_due(now_ns)

    def _follow_control(self) -> None:
        frame = receive(self._control) if self._control is not None else None
        if frame is None:
            return
        try:
            control = decode_as(Control, frame)
        except MessageError:
            return
        for _, session in self._sessions:
            session.follow_control(control)

    def _send(self, frame: bytes) -> bool:
        self._end_if_forked()
        return try_send(self._results, frame)

    def _end_if_forked(self) -> None:
        """End this process if it is a trader's fork that came back from the hook: it must not go on as a second worker
        on the same sockets."""
        if os.getpid() != self._pid:
            os._exit(0)

    # Words of the supervisor.

    def _follow_word(self) -> None:
        try:
            words = msgpack.unpackb(self._pipe.recv_bytes())
        except (EOFError, OSError):  # the supervisor is gone
            self._stopping = True
            return
        number = int(words["member"])
        if words["word"] == "load" or number in self._members:
            self._words[words["word"]](number, words)

    def _load(self, number: int, words: dict[str, Any]) -> None:
        spec = LaunchSpec.of_words(words["spec"])
        self._activity.begin(number)  # importing has the same deadline as a cycle
        forget(spec.source)
        try:
            plugin = load_plugin(spec.source, spec.name, spec.own)
        except PluginError as error:
            send_word(self._pipe, member=number, state="refused", reason=str(error))
            return
        finally:
            self._end_if_forked()
            self._activity.end()
        self._members[number] = Member(spec, plugin)
        helpers = [str(path) for path in plugin.helpers]
        send_word(
            self._pipe, member=number, state="ready", name=plugin.trader.name, version=plugin.version, helpers=helpers
        )

    def _go(self, number: int, words: dict[str, Any]) -> None:
        if self._events is None:
            self._events = open_socket(self._context, self._runtime, EVENTS_IN, None)
            self._control = open_socket(self._context, self._runtime, CONTROL_IN)
            self._results = open_socket(self._context, self._runtime, RESULTS_OUT)
        member = self._members[number]
        session = member.session = TraderSession(
            member.spec, member.plugin, words["incarnation"], self._settings, self._runtime, self._send
        )
        if words["inherits"]:
            session.take_over(inherit(member.spec.handover_path))
        # The socket keeps only the newest event of all channels, which is enough to wake the process: each trader then
        # looks at its own channel.
        self._events.subscribe(topic(session.channel))
        self._sessions = (*self._sessions, (number, session))

    def _stop(self, number: int, _words: dict[str, Any]) -> None:
        session = self._members[number].session
        if session is not None:
            session.beat("stopped", time.monotonic_ns())
        self._end(number)

    def _replace(self, number: int, _words: dict[str, Any]) -> None:
        session = self._members[number].session
        if session is not None:
            session.hand_over()
        self._end(number)

    def _drop(self, number: int, _words: dict[str, Any]) -> None:
        self._end(number)

    def _end(self, number: int) -> None:
        session = self._members.pop(number).session
        self._sessions = tuple(one for one in self._sessions if one[0] != number)
        if session is not None:
            self._events.unsubscribe(topic(session.channel))
        send_word(self._pipe, member=number, state="ended")
        self._stopping = not self._members
