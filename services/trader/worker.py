"""Worker: a process that runs one trader, or those of a group: waits for swap events, gives each trader its turns.

It is a fork of the fork server, and ends with its supervisor. Everything it does to the outside is a message; the
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

from common.codec import decode_as, topic
from common.errors import MessageError, PluginError
from common.messages import Control
from common.settings import Settings
from common.sockets import CONTROL_IN, EVENTS_IN, RESULTS_OUT, Context, open_socket, receive, try_send
from services.trader import probe
from services.trader.confine import confine
from services.trader.handover import inherit
from services.trader.loading import forget
from services.trader.order import Order
from services.trader.plugin import Plugin, load_plugin
from services.trader.post import Post
from services.trader.watch import Watch

MS = 1_000_000
LOOK_NS = 100 * MS  # between looks at control messages, the supervisor and the heartbeat
LINGER_MS = 500


def run_worker(settings: Settings, output: Connection, pipe: Connection, watch_words: Any) -> None:
    """The process's main; what it writes goes to `output`. What it is to run comes as words through `pipe`, each for a
    member by its number:

    load       an order: load the trader, and tell `ready` with its name or `refused` with the reason
    go         run it, as `incarnation`, with what a predecessor left where it `inherits`
    stop       end it, with a last word to the collector, and tell `ended`
    replace    end it, and leave what it has to its successor
    drop       end it at once

    Without the word to go no two of one name ever speak to the collector.
    """
    confine(output, settings.trader.memory_limit_mb)
    watch = Watch(watch_words)
    watch.memory_bytes = probe.memory_bytes()
    context: Context = zmq.Context()
    try:
        Worker(settings, context, pipe, watch).run()
    finally:
        context.destroy(linger=LINGER_MS)


def tell(pipe: Connection, **words: Any) -> None:
    """A word to the other end; msgpack, as everything between processes."""
    pipe.send_bytes(msgpack.packb(words, default=str))  # TOML's dates become texts, which models take as well


@dataclass(slots=True)
class Member:
    """One trader of the process: loaded, and with a post once it goes."""

    order: Order
    plugin: Plugin
    post: Post | None = None
    told: str = ""
    """What the supervisor was told of it: that it is slow, and how."""


class Worker:
    """`run` returns when the supervisor is gone, or has ended every member."""

    def __init__(self, settings: Settings, context: Context, pipe: Connection, watch: Watch) -> None:
        self._settings, self._pipe, self._watch = settings, pipe, watch
        self._runtime = settings.runtime_folder()
        self._context = context
        self._pid = os.getpid()
        self._members: dict[int, Member] = {}
        self._posts: tuple[tuple[int, Post], ...] = ()
        self._stopping = False
        self._look_due_ns = 0
        self._wait_ms = 0
        self._look_ns = min(LOOK_NS, int(settings.feed.heartbeat_ms * MS), int(settings.trader.heartbeat_ms * MS))
        self._words: dict[str, Callable[[int, dict[str, Any]], None]] = {
            "load": self._load,
            "go": self._go,
            "stop": self._stop,
            "replace": self._replace,
            "drop": self._drop,
        }
        # Opened when the first trader goes: importing a plugin needs no sockets.
        self._events: Any = None
        self._control: Any = None
        self._results: Any = None

    def run(self) -> None:
        while not self._stopping:
            now_ns = time.monotonic_ns()
            if now_ns >= self._look_due_ns:
                self._look(now_ns)
            stepped = False
            for number, post in self._posts:
                if post.ready(now_ns):
                    self._watch.begin(number)
                    post.step(now_ns, self._between_chunks)
                    self._end_if_forked()
                    self._watch.end()
                    stepped = True
            if not stepped:  # else a cycle may have been closed meanwhile, and its event lost
                self._wait(now_ns)

    def _look(self, now_ns: int) -> None:
        """Everything but events, at a slow pace of its own: a wake-up for an event looks at nothing else."""
        self._look_due_ns = now_ns + self._look_ns
        while not self._stopping and self._pipe.poll():
            self._take_word()
        self._take_control()
        for number, post in self._posts:
            post.look(now_ns)
            member = self._members[number]
            if member.told != post.slow:
                member.told = post.slow
                tell(self._pipe, member=number, state="slow", remark=post.slow)

    def _wait(self, now_ns: int) -> None:
        """For an event, or what is due without one. Whole looks where nothing presses: setting another time at each
        wake-up costs more than to be late by a part of a look."""
        if not self._posts:  # words alone can bring something
            self._pipe.poll(self._look_ns / 1e9)
            self._look_due_ns = 0
            return
        wait_ns = self._look_ns
        for _, post in self._posts:
            due_ns = post.due_ns(now_ns)
            if due_ns is not None:
                wait_ns = max(0, min(wait_ns, due_ns - now_ns))
        wait_ms = -(-wait_ns // MS)
        if wait_ms != self._wait_ms:
            self._events.rcvtimeo = self._wait_ms = wait_ms
        try:
            frame = self._events.recv()
        except zmq.Again:
            return
        for _, post in self._posts:
            post.take_event(frame)

    def _between_chunks(self) -> None:
        """Long cycles stay responsive: control and heartbeats are served, and the deadline is for a chunk."""
        now_ns = time.monotonic_ns()
        self._watch.begin(self._watch.member)
        if now_ns < self._look_due_ns:
            return
        self._look_due_ns = now_ns + self._look_ns
        self._take_control()
        for _, post in self._posts:
            post.beat_if_due(now_ns)

    def _take_control(self) -> None:
        frame = receive(self._control) if self._control is not None else None
        if frame is None:
            return
        try:
            control = decode_as(Control, frame)
        except MessageError:
            return
        for _, post in self._posts:
            post.hear(control)

    def _send(self, frame: bytes) -> bool:
        self._end_if_forked()
        return try_send(self._results, frame)

    def _end_if_forked(self) -> None:
        """A trader forked, and the child came back from the hook: it must not go on as a second worker on the same
        sockets."""
        if os.getpid() != self._pid:
            os._exit(0)

    # Words of the supervisor.

    def _take_word(self) -> None:
        try:
            words = msgpack.unpackb(self._pipe.recv_bytes())
        except (EOFError, OSError):  # it is gone
            self._stopping = True
            return
        number = int(words["member"])
        if words["word"] == "load" or number in self._members:
            self._words[words["word"]](number, words)

    def _load(self, number: int, words: dict[str, Any]) -> None:
        order = Order.of_words(words["order"])
        self._watch.begin(number)  # importing has the deadline of a cycle
        forget(order.source)
        try:
            plugin = load_plugin(order.source, order.name, order.own)
        except PluginError as error:
            tell(self._pipe, member=number, state="refused", reason=str(error))
            return
        finally:
            self._end_if_forked()
            self._watch.end()
        self._members[number] = Member(order, plugin)
        helpers = [str(path) for path in plugin.helpers]
        tell(self._pipe, member=number, state="ready", name=plugin.trader.name, version=plugin.version, helpers=helpers)

    def _go(self, number: int, words: dict[str, Any]) -> None:
        if self._events is None:
            self._events = open_socket(self._context, self._runtime, EVENTS_IN, None)
            self._control = open_socket(self._context, self._runtime, CONTROL_IN)
            self._results = open_socket(self._context, self._runtime, RESULTS_OUT)
        member = self._members[number]
        member.post = Post(member.order, member.plugin, words["incarnation"], self._settings, self._runtime, self._send)
        if words["inherits"]:
            member.post.take_over(inherit(member.order.legacy_path))
        # Of all channels that its traders have the newest event is enough: it wakes, and each looks at its own channel.
        self._events.subscribe(topic(member.post.channel))
        self._posts = (*self._posts, (number, member.post))

    def _stop(self, number: int, _words: dict[str, Any]) -> None:
        post = self._members[number].post
        if post is not None:
            post.beat("stopped", time.monotonic_ns())
        self._end(number)

    def _replace(self, number: int, _words: dict[str, Any]) -> None:
        post = self._members[number].post
        if post is not None:
            post.hand_over()
        self._end(number)

    def _drop(self, number: int, _words: dict[str, Any]) -> None:
        self._end(number)

    def _end(self, number: int) -> None:
        post = self._members.pop(number).post
        self._posts = tuple(one for one in self._posts if one[0] != number)
        if post is not None:
            self._events.unsubscribe(topic(post.channel))
        tell(self._pipe, member=number, state="ended")
        self._stopping = not self._members
