"""CollectorLink: the core of a follower on its sockets. All but the waiting, which the shells do in their own way."""

import random
import time
from collections import deque
from collections.abc import Callable

import zmq

from tickflag.common.client.follower.core import FollowerCore, JournalQuestion
from tickflag.common.client.follower.events import CollectorAway, CollectorBack, Event, Place
from tickflag.common.client.follower.signal_feed import SignalFeed
from tickflag.common.errors import TickflagError
from tickflag.common.limits import descriptor_shortage
from tickflag.common.runtime import Runtime
from tickflag.common.wire.requests import Client, KeyRefused, RemoteEngine, Unreachable
from tickflag.common.wire.sockets import Context, Socket

SILENCE_S = 2.5  # without a message; the collector's heartbeat comes every half second unless set otherwise
RETRY_S = 1.0  # between two attempts to ask a collector that is away
CHECK_S = 0.25  # between checks that the collector that owes an answer still runs
MESSAGES_PER_STEP = 100
_DESCRIPTORS = 24  # of two contexts with their threads and sockets
_STATUS = JournalQuestion("status")


class CollectorLink:
    """Owns its sockets. One thread. No method waits.

    While a question is open no message is read: it waits in its socket, so that messages come to the core in order.
    What overflows there is a hole, which the core fills.
    """

    def __init__(
        self,
        runtime: Runtime,
        remote: RemoteEngine | None,
        place: Place | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        shortage = descriptor_shortage("a follower", _DESCRIPTORS)
        if shortage:  # ZeroMQ would end the process
            raise TickflagError(shortage)
        self._client = Client(runtime, "collector", remote=remote)
        self._context: Context = zmq.Context()
        self._feed = SignalFeed(self._context, runtime, remote)
        self._core = FollowerCore(place)
        self._clock = clock
        self._events: deque[Event] = deque()
        self._asked: JournalQuestion | None = None
        self._heard_s = self._retry_s = clock()
        self._closed = False

    def step(self) -> None:
        """Do what can be done now. Raises TickflagError where the other machine refuses our key, or the collector a
        question for no reason of the journal's."""
        if self._closed:
            raise ValueError("the follower is closed")
        now = self._clock()
        self._feed.check()
        if self._asked is not None:
            self._receive_answer(self._asked, now)
        if self._asked is None:
            self._receive_messages(now)
            if now - self._heard_s >= SILENCE_S:
                self._heard_s = now
                self._core.doubt()
            question = self._question
            if question is not None and now >= self._retry_s:
                self._ask(question, now)

    def take_event(self) -> Event | None:
        """The next event; None where a further step is needed."""
        return self._events.popleft() if self._events else None

    def idle_s(self) -> float:
        """For how long `step` has nothing to do unless one of `sockets` is readable."""
        now = self._clock()
        if self._asked is not None:
            return CHECK_S
        due = self._heard_s + SILENCE_S if self._question is None else self._retry_s
        return max(0.0, due - now)

    @property
    def sockets(self) -> list[Socket]:
        """Those to wait on now."""
        return self._feed.sockets if self._asked is None else [self._client.socket]

    def seek(self, place: Place | None) -> None:
        """Go on from another place; None: from a snapshot. Events that were not taken yet are dropped, and come again
        where they lie after it."""
        away = self._core.away
        self._core = FollowerCore(place)
        self._core.away = away
        self._asked = None
        self._events = deque(event for event in self._events if isinstance(event, CollectorAway | CollectorBack))

    def close(self) -> None:
        """Close the sockets; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._feed.close()
            self._client.close()
            self._context.term()

    @property
    def _question(self) -> JournalQuestion | None:
        return _STATUS if self._feed.wants_address else self._core.question

    def _ask(self, question: JournalQuestion, now: float) -> None:
        try:
            self._client.send(question.what, **question.arguments)
        except KeyRefused:
            raise
        except Unreachable as error:
            self._give_up(error, now)
        else:
            self._asked = question

    def _receive_answer(self, question: JournalQuestion, now: float) -> None:
        try:
            reply = self._client.try_answer()
        except KeyRefused:
            raise
        except Unreachable as error:
            self._give_up(error, now)
            return
        if reply is None:
            return
        self._asked = None
        self._heard_s = now
        if question is _STATUS:
            if reply.error:
                raise TickflagError(reply.error)
            self._feed.connect(reply.result["collector"])
        elif reply.error:
            self._events += self._core.take_refusal(question, reply.error)
        else:
            self._events += self._core.take_answer(question, reply.result)

    def _give_up(self, error: Unreachable, now: float) -> None:
        """Wait a while before the next attempt; not all followers at the same moment."""
        self._asked = None
        self._events += self._core.take_absence(str(error))
        self._feed.collector_away()
        self._retry_s = now + RETRY_S * random.uniform(0.5, 1.0)

    def _receive_messages(self, now: float) -> None:
        for _ in range(MESSAGES_PER_STEP):
            if self._question is not None and now >= self._retry_s:
                return  # ask first
            message = self._feed.receive()
            if message is False:
                return
            self._heard_s = now
            if self._core.away:
                self._retry_s = now  # it seems to be back
            if message is not True:
                self._events += self._core.take_message(message)
