"""Feed: what wakes it. Sockets are real; the longest wait is an hour, so each wake-up has its own cause."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
import zmq

from tests.support.markets.markets import tick_batch
from tests.support.processes.folders import runtime_folder
from tests.support.processes.hostile import FEED, of_other_types, request
from tests.support.processes.waiting import wait_until
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.lifecycle import Stop
from tickflag.common.log import configure
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.layout import CLOSED
from tickflag.common.segment.segment import Segment
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.arguments import Arguments
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.sockets import FEED_COMMANDS_CLIENT, Socket, open_socket
from tickflag.services.feed import service
from tickflag.services.feed.market.state import AHEAD, BEHIND, COVERED
from tickflag.services.feed.market.updates import Batch
from tickflag.services.feed.service import Feed
from tickflag.services.feed.sources.source import Source, Venue

HOUR_NS = 3_600_000_000_000
DEADLINE_S = 20


class PipeSource(Source):
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

    def command(self, name: str, arguments: Arguments) -> Any:
        match name:
            case "fail":
                raise ZeroDivisionError("one by none")
            case "large":
                return 2**70
        return super().command(name, arguments)

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


class FeedThread:
    """A feed in a thread of its own, with its source and a client."""

    def __init__(self, feed: Feed, source: PipeSource, stop: Stop, client: Socket) -> None:
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
def _feed_thread(runtime: Runtime, growth: bool = False, **feed_settings: Any) -> Iterator[FeedThread]:
    """A feed whose thread the test starts."""
    values = {"min_swap_interval_ms": 0, "rate_limit_ms": 0, "heartbeat_ms": 60_000, **feed_settings}
    settings = Settings.model_validate({"feed": values, "segment": {"capacity": 4, "depth": 2, "growth": growth}})
    context: zmq.Context[Socket] = zmq.Context()
    source = PipeSource()
    with Stop() as stop:
        feed = Feed(settings, runtime, context, source, configure("feed", "error"))
        client = open_socket(context, runtime, FEED_COMMANDS_CLIENT)
        running = FeedThread(feed, source, stop, client)
        try:
            yield running
        finally:
            stop.request()
            if running.thread.is_alive():
                running.thread.join(DEADLINE_S)
            feed.close()
            client.close()
            context.term()
    assert not running.thread.is_alive()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A runtime folder of the test's own, and a feed that wakes for nothing else."""
    monkeypatch.setattr(service, "LONGEST_WAIT_NS", HOUR_NS)
    with runtime_folder() as runtime:
        yield runtime


def test_a_stop_ends_the_wait(runtime: Runtime) -> None:
    """So does a stop that was requested before the feed began."""
    for early in (True, False):
        with _feed_thread(runtime) as running:
            if early:
                running.stop.request()
            running.thread.start()
            running.stop.request()
            running.thread.join(DEADLINE_S)
            assert not running.thread.is_alive()


def test_candles_that_began_before_the_start_are_incomplete(runtime: Runtime) -> None:
    """Such a candle has no open, and the event times of a live source are bound to their receipt."""
    before_ns = time.time_ns()
    with _feed_thread(runtime, ahead_limit_s=7, behind_limit_s=8) as running:
        market = running.feed.market
        assert before_ns - NS_PER_S <= market.state.meta[COVERED] <= time.time_ns()
        assert market.state.meta[[AHEAD, BEHIND]].tolist() == [7 * NS_PER_S, 8 * NS_PER_S]
        started_ns = int(market.state.meta[COVERED])
        market.apply(tick_batch([market.slot("S0")], [1.0], started_ns - 1), 1)
        assert np.isnan(market.segment.arrays.opens["open"][0]).all()


def test_a_descriptor_of_the_source_wakes_it(runtime: Runtime) -> None:
    """With a swap interval of 0 each batch makes a cycle."""
    with _feed_thread(runtime) as running:
        running.thread.start()
        for n in (1, 2):
            running.source.tick()
            running.wait_swaps(n)
        assert running.count("updates") == 2


def test_the_time_of_the_source_wakes_it(runtime: Runtime) -> None:
    """The feed drains the source at the time that the source gives."""
    with _feed_thread(runtime) as running:
        running.source.due_ns = time.monotonic_ns() + 20_000_000
        running.thread.start()
        running.wait_swaps(1)


def test_a_swap_that_may_not_be_yet_comes_when_it_is_due(runtime: Runtime) -> None:
    """The second of two ticks waits for the interval to end, and for nothing else."""
    with _feed_thread(runtime, min_swap_interval_ms=50) as running:
        running.thread.start()
        running.source.tick()
        running.wait_swaps(1)
        running.source.tick()
        running.wait_swaps(2)


def test_a_put_off_announcement_comes_when_it_is_due(runtime: Runtime) -> None:
    """The rate limit delays the announcement of the second tick, and the feed wakes for it."""
    with _feed_thread(runtime, rate_limit_ms=50) as running:
        running.thread.start()
        running.source.tick()
        running.wait_swaps(1)
        running.source.tick()
        running.wait_swaps(2)
        assert running.count("flagged") == 2


def test_other_limits_are_followed_by_a_turn_at_once(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they announce waits for no timer; only the swap interval may delay it."""
    with _feed_thread(runtime, rate_limit_ms=3_600_000) as running:
        for _ in range(2):
            running.source.tick()
            running.feed.turn()
        assert (running.count("deferred"), running.count("swaps")) == (1, 1)
        monkeypatch.setattr(running.feed, "_beat_due_ns", 0)
        monkeypatch.setattr(running.feed._limits, "refresh", lambda: True)
        monkeypatch.setattr(running.feed._limits, "mask", lambda names: np.zeros(len(names), np.uint8))
        assert running.feed.turn() <= time.monotonic_ns()
        running.feed.turn()
        assert running.count("swaps") == 2


@pytest.mark.parametrize("what", ["swap", "stop", "growth"])
def test_what_was_put_off_is_announced_before(runtime: Runtime, what: str) -> None:
    """A forced swap, the end of the feed and a larger segment do not wait for the rate limit."""
    with ExitStack() as stack:
        running = stack.enter_context(_feed_thread(runtime, growth=True, rate_limit_ms=3_600_000))
        with Segment.attach_current(runtime) as segment:
            control = segment.arrays.control
            for _ in range(2):
                running.source.tick()
                running.feed.turn()
            assert (running.count("deferred"), control[CLOSED]) == (1, 1)
            if what == "swap":
                running.ask(encode(Request(id=1, what="swap")))
                running.thread.start()
                assert running.reply().result == {"channels": 1}
            elif what == "stop":
                stack.close()
            else:
                for name in ("S1", "S2", "S3", "S4"):
                    running.feed.slot(name)
                assert running.feed.market.segment.layout.capacity == 8
            assert control[CLOSED] == 2


def test_requests_that_come_together_are_all_answered(runtime: Runtime) -> None:
    """Requests from before the feed ran are answered, and so are those behind a frame that is no request, which is
    dropped."""
    with _feed_thread(runtime) as running:
        asked = [Request(id=number, what=what) for number, what in enumerate(("status", "nonsense", "swap"))]
        for request in asked:
            running.ask(encode(request))
        running.ask(b"noise")
        running.ask(encode(Request(id=3, what="status")))
        running.thread.start()
        replies = [running.reply() for _ in range(4)]
        assert [reply.id for reply in replies] == [0, 1, 2, 3]
        assert [bool(reply.error) for reply in replies] == [False, True, False, False]
        running.ask(encode(Request(id=4, what="status")))
        assert running.reply().result["symbols"] == 1


def test_swaps_are_timed(runtime: Runtime) -> None:
    """Each swap that closed a cycle counts, and the segment shows the counts with the next heartbeat."""
    with _feed_thread(runtime, heartbeat_ms=10) as running:
        running.thread.start()
        for swaps in (1, 2, 3):
            running.source.tick()
            running.wait_swaps(swaps)
        histograms = running.feed.market.segment.histograms
        wait_until(lambda: sum(histograms()["swap"].buckets) == 3, what="three swaps are shown")
        swap, cycle = histograms()["swap"], histograms()["cycle"]
    assert sum(cycle.buckets) == 2
    assert min(swap.sum_ns, cycle.sum_ns) > 0


def test_a_client_with_an_envelope_is_answered(runtime: Runtime) -> None:
    """The reply has the envelope of the request, so that clients with other socket types can ask as well."""
    with _feed_thread(runtime) as running:
        running.thread.start()
        running.client.send_multipart([b"", encode(Request(id=7, what="status"))])
        assert running.client.poll(DEADLINE_S * 1_000)
        empty, frame = running.client.recv_multipart()
        assert (empty, decode_as(Reply, frame).id) == (b"", 7)


def test_a_source_that_fails_at_a_command_does_not_end_the_feed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client and the log get the reason. An answer that cannot be sent is an error too."""
    with _feed_thread(runtime) as running:
        log = RecordedLog()
        monkeypatch.setattr(running.feed, "_log", log)
        running.thread.start()
        running.ask(request("fail", {}))
        assert running.reply().error == "the source failed at 'fail': ZeroDivisionError: one by none"
        assert log.lines[-1][1:] == (
            "source failed at a command",
            {"command": "fail", "reason": "ZeroDivisionError: one by none"},
        )
        running.ask(request("large", {}))
        assert running.reply().error.startswith("the answer cannot be sent: ")
        running.ask(request("status", {}))
        assert running.reply().result["symbols"] == 1


def test_arguments_that_a_command_does_not_take_are_refused(runtime: Runtime) -> None:
    """Arguments of another type are refused as well. Nothing is switched or announced."""
    with _feed_thread(runtime) as running:
        running.thread.start()
        running.ask(request("status", {}))
        before = running.reply().result
        for what, arguments in of_other_types(FEED):
            running.ask(request(what, arguments))
            assert running.reply().error, (what, arguments)
        running.ask(request("status", {}))
        assert running.reply().result == before
        assert running.feed.market.segment.arrays.living[layout.DEBUG_ON] == 0


@pytest.mark.parametrize(("quiet_ns", "warnings"), [(HOUR_NS, 1), (0, 5)])
def test_bad_requests_do_not_fill_the_log(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, quiet_ns: int, warnings: int
) -> None:
    """After a warning none follows for a while; the next one counts the bad requests since."""
    monkeypatch.setattr(service, "QUIET_NS", quiet_ns)
    with _feed_thread(runtime) as running:
        log = RecordedLog()
        monkeypatch.setattr(running.feed, "_log", log)
        running.thread.start()
        for _ in range(5):
            running.ask(b"noise")
        running.ask(request("status", {}))
        running.reply()
        counts = [
            fields["count"] for level, event, fields in log.lines if (level, event) == ("warning", "bad requests")
        ]
        assert counts == [1] * warnings
