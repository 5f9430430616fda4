"""Feed: what wakes it. Real sockets; the longest wait is an hour, so that each wake-up has its own cause."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import zmq

from common import layout
from common.codec import decode_as, encode
from common.layout import CLOSED
from common.lifecycle import Stop
from common.log import configure
from common.messages import Reply, Request
from common.runtime import Runtime
from common.segment import Segment
from common.settings import Settings
from common.sockets import FEED_COMMANDS_CLIENT, Socket, open_socket
from services.feed import service
from services.feed.service import Feed
from services.feed.sources.base import Source, Venue
from services.feed.updates import Batch
from tests.support.folders import runtime_folder
from tests.support.hostile import FEED, of_other_types, request
from tests.support.markets import tick_batch
from tests.support.recorded_log import RecordedLog

HOUR_NS = 3_600_000_000_000
DEADLINE_S = 20


class Piped(Source):
    """One symbol; a tick for every byte in a pipe, or at the time set."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        self.due_ns: int | None = None

    def tick(self) -> None:
        os.write(self._writer, b"t")

    def open(self, venue: Venue) -> Sequence[Batch]:
        self._slot = venue.slot("S0")
        return ()

    def next_ns(self) -> int | None:
        return self.due_ns

    def descriptors(self) -> Sequence[int]:
        return (self._reader,)

    def drain(self, monotonic_ns: int, wall_ns: int) -> Sequence[Batch]:
        try:
            ticks = len(os.read(self._reader, 100))
        except BlockingIOError:
            ticks = 0
        if self.due_ns is not None and monotonic_ns >= self.due_ns:
            self.due_ns, ticks = None, ticks + 1
        return [Batch(tick_batch([self._slot], [1.0], wall_ns).rows)] * ticks

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        match name:
            case "fail":
                raise ZeroDivisionError("one by none")
            case "large":
                return 2**70
        return super().command(name, arguments)

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


class Site:
    """A feed in a thread of its own and everything round it."""

    def __init__(self, feed: Feed, source: Piped, stop: Stop, client: Socket) -> None:
        self.feed, self.source, self.stop, self.client = feed, source, stop, client
        self.thread = threading.Thread(target=feed.run, args=(stop,))

    def count(self, counter: str) -> int:
        return self.feed.market.segment.counters()[counter]

    def wait_swaps(self, n: int) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self.count("swaps") != n:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def ask(self, frame: bytes) -> None:
        self.client.send(frame)

    def reply(self) -> Reply:
        assert self.client.poll(DEADLINE_S * 1_000)
        return decode_as(Reply, self.client.recv())


@contextmanager
def _site(runtime: Runtime, growth: bool = False, **feed_settings: Any) -> Iterator[Site]:
    """A feed that is not running yet: start its thread."""
    values = {"min_swap_interval_ms": 0, "rate_limit_ms": 0, "heartbeat_ms": 60_000, **feed_settings}
    settings = Settings.model_validate({"feed": values, "segment": {"capacity": 4, "depth": 2, "growth": growth}})
    context: zmq.Context[Socket] = zmq.Context()
    source = Piped()
    with Stop() as stop:
        feed = Feed(settings, runtime, context, source, configure("feed", "error"))
        client = open_socket(context, runtime, FEED_COMMANDS_CLIENT)
        site = Site(feed, source, stop, client)
        try:
            yield site
        finally:
            stop.request()
            if site.thread.is_alive():
                site.thread.join(DEADLINE_S)
            feed.close()
            client.close()
            context.term()
    assert not site.thread.is_alive()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A runtime folder of the test's own, and a feed that does not wake for nothing."""
    monkeypatch.setattr(service, "LONGEST_WAIT_NS", HOUR_NS)
    with runtime_folder() as runtime:
        yield runtime


def test_a_stop_ends_the_wait(runtime: Runtime) -> None:
    """Also one that was asked for before the feed began."""
    for early in (True, False):
        with _site(runtime) as site:
            if early:
                site.stop.request()
            site.thread.start()
            site.stop.request()
            site.thread.join(DEADLINE_S)
            assert not site.thread.is_alive()


def test_a_descriptor_of_the_source_wakes_it(runtime: Runtime) -> None:
    """With a swap interval of 0 each batch drained is a cycle."""
    with _site(runtime) as site:
        site.thread.start()
        for n in (1, 2):
            site.source.tick()
            site.wait_swaps(n)
        assert site.count("updates") == 2


def test_the_time_of_the_source_wakes_it(runtime: Runtime) -> None:
    """It drains when the source says that it will have something."""
    with _site(runtime) as site:
        site.source.due_ns = time.monotonic_ns() + 20_000_000
        site.thread.start()
        site.wait_swaps(1)


def test_a_swap_that_may_not_be_yet_comes_when_it_is_due(runtime: Runtime) -> None:
    """The second of two ticks waits for the interval to end, and for nothing else."""
    with _site(runtime, min_swap_interval_ms=50) as site:
        site.thread.start()
        site.source.tick()
        site.wait_swaps(1)
        site.source.tick()
        site.wait_swaps(2)


def test_a_put_off_announcement_comes_when_it_is_due(runtime: Runtime) -> None:
    """The rate limit delays the second tick's announcement, and the feed wakes for it."""
    with _site(runtime, rate_limit_ms=50) as site:
        site.thread.start()
        site.source.tick()
        site.wait_swaps(1)
        site.source.tick()
        site.wait_swaps(2)
        assert site.count("flagged") == 2


@pytest.mark.parametrize("what", ["swap", "stop", "growth"])
def test_what_was_put_off_is_announced_before(runtime: Runtime, what: str) -> None:
    """A forced swap, the end of the feed and a larger segment wait for no rate limit."""
    with ExitStack() as running:
        site = running.enter_context(_site(runtime, growth=True, rate_limit_ms=3_600_000))
        with Segment.attach_current(runtime) as segment:
            control = segment.arrays.control
            for _ in range(2):
                site.source.tick()
                site.feed.turn()
            assert (site.count("deferred"), control[CLOSED]) == (1, 1)
            if what == "swap":
                site.ask(encode(Request(id=1, what="swap")))
                site.thread.start()
                assert site.reply().result == {"channels": 1}
            elif what == "stop":
                running.close()
            else:
                for name in ("S1", "S2", "S3", "S4"):
                    site.feed.slot(name)
                assert site.feed.market.segment.layout.capacity == 8
            assert control[CLOSED] == 2


def test_requests_that_come_together_are_all_answered(runtime: Runtime) -> None:
    """Those that came before the feed ran, and those behind one that is none, which is dropped."""
    with _site(runtime) as site:
        asked = [Request(id=number, what=what) for number, what in enumerate(("status", "nonsense", "swap"))]
        for request in asked:
            site.ask(encode(request))
        site.ask(b"noise")
        site.ask(encode(Request(id=3, what="status")))
        site.thread.start()
        replies = [site.reply() for _ in range(4)]
        assert [reply.id for reply in replies] == [0, 1, 2, 3]
        assert [bool(reply.error) for reply in replies] == [False, True, False, False]
        site.ask(encode(Request(id=4, what="status")))
        assert site.reply().result["symbols"] == 1


def test_a_client_with_an_envelope_is_answered(runtime: Runtime) -> None:
    """The route of a request is given back as it came, so that other socket types may ask as well."""
    with _site(runtime) as site:
        site.thread.start()
        site.client.send_multipart([b"", encode(Request(id=7, what="status"))])
        assert site.client.poll(DEADLINE_S * 1_000)
        empty, frame = site.client.recv_multipart()
        assert (empty, decode_as(Reply, frame).id) == (b"", 7)


def test_a_source_that_fails_at_a_command_does_not_end_the_feed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client and the log learn why; so it is where its answer is nothing that can be sent."""
    with _site(runtime) as site:
        log = RecordedLog()
        monkeypatch.setattr(site.feed, "_log", log)
        site.thread.start()
        site.ask(request("fail", {}))
        assert site.reply().error == "the source failed at 'fail': ZeroDivisionError: one by none"
        assert log.lines[-1][1:] == (
            "source failed at a command",
            {"command": "fail", "reason": "ZeroDivisionError: one by none"},
        )
        site.ask(request("large", {}))
        assert site.reply().error.startswith("the answer cannot be sent: ")
        site.ask(request("status", {}))
        assert site.reply().result["symbols"] == 1


def test_arguments_that_a_command_does_not_take_are_refused(runtime: Runtime) -> None:
    """And those of another type; nothing is switched or announced."""
    with _site(runtime) as site:
        site.thread.start()
        site.ask(request("status", {}))
        before = site.reply().result
        for what, arguments in of_other_types(FEED):
            site.ask(request(what, arguments))
            assert site.reply().error, (what, arguments)
        site.ask(request("status", {}))
        assert site.reply().result == before
        assert site.feed.market.segment.arrays.living[layout.DEBUG_ON] == 0


@pytest.mark.parametrize(("quiet_ns", "warnings"), [(HOUR_NS, 1), (0, 5)])
def test_bad_requests_do_not_fill_the_log(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, quiet_ns: int, warnings: int
) -> None:
    """After a warning there is none for a while, and the next one counts those in between."""
    monkeypatch.setattr(service, "QUIET_NS", quiet_ns)
    with _site(runtime) as site:
        log = RecordedLog()
        monkeypatch.setattr(site.feed, "_log", log)
        site.thread.start()
        for _ in range(5):
            site.ask(b"noise")
        site.ask(request("status", {}))
        site.reply()
        counts = [
            fields["count"] for level, event, fields in log.lines if (level, event) == ("warning", "bad requests")
        ]
        assert counts == [1] * warnings
