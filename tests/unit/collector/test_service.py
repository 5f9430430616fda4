"""The collector's loop, turn by turn, over real sockets in this process."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import zmq

from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.processes.disk import disk_full_after
from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.manual_clock import ManualClock
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import load
from tickflag.common.wire import sockets
from tickflag.common.wire.codec import decode, decode_as, encode
from tickflag.common.wire.messages import (
    Audit,
    Control,
    Fault,
    Message,
    Notice,
    Notices,
    Reply,
    Request,
    Signals,
    SwapEvent,
)
from tickflag.common.wire.sockets import Socket, SocketRole, open_socket, try_send
from tickflag.services.collector import publisher, service
from tickflag.services.collector.journal import journal as journal_module
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.metrics.server import MetricsServer
from tickflag.services.collector.service import Collector

WITHIN_MS = 10_000


AUDIT = Audit(trader="breakout", incarnation=1, cycle=1, time_ms=1, symbols=5, part_ns=10, full_ns=100)


class CollectorHarness:
    """A collector, its journal, and one peer of each kind."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.context: sockets.Context = zmq.Context()
        self.clock = ManualClock(1_000_000_000)
        self.log = RecordedLog()
        self.journal = Journal(":memory:")
        self._peers: list[Socket] = []
        self.start()
        self.results = self.peer(sockets.RESULTS_OUT)
        self.requests = self.peer(sockets.COMMANDS_CLIENT)

    def start(self, metrics: MetricsServer | None = None) -> None:
        settings = load(instance="test", runtime={"root": self.runtime.folder.parent})
        log = cast(Logger, self.log)
        self.collector = Collector(settings, self.runtime, log, self.clock, self.journal, self.context, metrics)

    def peer(self, role: SocketRole) -> Socket:
        socket = open_socket(self.context, self.runtime, role)
        self._peers.append(socket)
        return socket

    def turn_until_taken(self, frames: int) -> None:
        """Step until so many frames were taken; a step that takes none waits for the next one."""
        while frames > 0:
            taken = self.collector.step()
            frames -= taken
            if not taken:
                assert any(zmq.select(list(self.collector.inputs), [], [], WITHIN_MS / 1e3)), "nothing came"

    def send(self, *messages: Message | bytes) -> None:
        """Push frames as a trader does, and take them in one turn after another."""
        for message in messages:
            self.results.send(message if isinstance(message, bytes) else encode(message))
        self.turn_until_taken(len(messages))

    def ask(self, what: str, **arguments: Any) -> Any:
        self.requests.send(encode(Request(id=1, what=what, arguments=arguments)))
        for _ in range(WITHIN_MS // 10):
            self.collector.step()
            if self.requests.poll(10):
                break
        reply = decode_as(Reply, self.requests.recv(zmq.NOBLOCK))
        assert reply.error == ""
        return reply.result

    def follow(self) -> Socket:
        """A subscription to the signals, connected."""
        subscriber = self.peer(sockets.SIGNALS_IN)
        while not subscriber.poll(10):
            self.beat()
        while subscriber.poll(50):
            subscriber.recv()
        return subscriber

    def beat(self) -> None:
        self.clock.now_ns += 500_000_000
        self.collector.step()

    def close(self) -> None:
        self.collector.close()
        for socket in self._peers:
            socket.close(linger=0)
        self.journal.close()
        self.context.destroy(linger=0)


@pytest.fixture
def harness() -> Iterator[CollectorHarness]:
    with runtime_folder() as runtime:
        harness = CollectorHarness(runtime)
        yield harness
        harness.close()


@pytest.fixture
def trader() -> FakeTrader:
    trader = FakeTrader()
    trader.matches = {"A": 1.0}
    return trader


def test_results_are_journalled_and_published_with_the_same_numbers(
    harness: CollectorHarness, trader: FakeTrader
) -> None:
    """A subscriber gets what the journal holds."""
    subscriber = harness.follow()
    harness.send(trader.snapshot(), trader.change(B=2.0), trader.change(A=None))
    published: list[Any] = []
    while len(published) < 3:
        assert subscriber.poll(WITHIN_MS)
        message = decode_as(Signals, subscriber.recv())
        assert message.last_seq == message.signals[-1].seq
        published += message.signals
    assert published == harness.journal.signals(0, 10)
    assert [(signal.seq, signal.symbol, signal.event) for signal in published] == [
        (1, "A", "entered"),
        (2, "B", "entered"),
        (3, "A", "left"),
    ]


def test_large_batch_is_published_in_several_messages(
    harness: CollectorHarness, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No receiver would take a message larger than the limit."""
    monkeypatch.setattr(publisher, "SIGNALS_PER_MESSAGE", 4)
    subscriber = harness.follow()
    trader.matches = {f"S{n}": 1.0 for n in range(10)}
    harness.send(trader.snapshot())
    messages = []
    for _ in range(3):
        assert subscriber.poll(WITHIN_MS)
        messages.append(decode_as(Signals, subscriber.recv()))
    assert [(len(message.signals), message.last_seq) for message in messages] == [(4, 4), (4, 8), (2, 10)]


def test_heartbeat_carries_last_seq_and_control(harness: CollectorHarness, trader: FakeTrader) -> None:
    """A subscriber that missed the last message, or came late, learns of it within a heartbeat."""
    signals, controls = harness.follow(), harness.peer(sockets.CONTROL_IN)
    harness.send(trader.snapshot())
    assert signals.poll(WITHIN_MS)
    signals.recv()
    while not controls.poll(10):
        harness.beat()
    assert decode_as(Control, controls.recv()).state_version == harness.ask("control")["state_version"]
    message = decode_as(Signals, signals.recv())
    assert (message.signals, message.last_seq) == ([], 1)


def test_resync_is_published_at_once_and_after_it_was_journalled(harness: CollectorHarness, trader: FakeTrader) -> None:
    """The document does not wait for the heartbeat; a version that was seen is never used again."""
    controls = harness.peer(sockets.CONTROL_IN)
    while not controls.poll(10):
        harness.beat()
    controls.recv()
    trader.snapshot()
    harness.send(trader.heartbeat())
    document = Control(state_version=0, time_ms=0)
    while not document.resync:  # a repetition of the earlier state may still be on its way
        assert controls.poll(WITHIN_MS)
        document = decode_as(Control, controls.recv())
    assert document.resync.keys() == {"breakout"}
    assert harness.journal.load().state_version == document.state_version


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"garbage",
        b"\x28\xb5\x2f\xfd broken",
        encode(Request(id=1, what="status")),
        encode(Control(state_version=1, time_ms=1)),
        encode(FakeTrader().snapshot().model_copy(update={"seq": 2**63})),
        encode(
            SwapEvent(
                channel="c",
                generation=1,
                cycle=1,
                buffer="A",
                segment="s",
                flagged=1,
                symbols=1,
                oldest_ns=1,
                time_ns=1,
            )
        ),
    ],
)
def test_garbage_is_counted_and_dropped(harness: CollectorHarness, trader: FakeTrader, frame: bytes) -> None:
    """Garbage comes to both sockets, between good messages, which are taken all the same."""
    harness.send(frame, trader.snapshot(), frame)
    harness.requests.send(encode(trader.heartbeat()))
    harness.requests.send_multipart([b"", b"two", b"garbage"])
    harness.turn_until_taken(2)
    assert harness.ask("snapshot")["matches"] == {"breakout": {"A": 1.0}}
    assert harness.ask("status")["collector"]["dropped_messages"] == 4
    harness.clock.now_ns += 2_000_000_000
    harness.collector.step()
    assert "dropped messages" in harness.log.events()


def test_client_with_an_envelope_is_answered(harness: CollectorHarness) -> None:
    """The reply has the envelope of the request, so that clients with other socket types can ask as well."""
    harness.requests.send_multipart([b"", encode(Request(id=7, what="control"))])
    harness.turn_until_taken(1)
    assert harness.requests.poll(WITHIN_MS)
    empty, frame = harness.requests.recv_multipart()
    assert (empty, decode_as(Reply, frame).id) == (b"", 7)


def test_answer_too_large_is_an_error_and_not_the_end(
    harness: CollectorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is told; the collector goes on."""
    monkeypatch.setattr("tickflag.common.wire.codec.MAX_FRAME_BYTES", 150)
    harness.requests.send(encode(Request(id=7, what="status")))
    harness.turn_until_taken(1)
    assert harness.requests.poll(WITHIN_MS)
    assert "too large" in decode_as(Reply, harness.requests.recv()).error


def test_slow_subscriber_and_client_never_block(harness: CollectorHarness, trader: FakeTrader) -> None:
    """A subscriber that reads nothing, and a client that asks and reads nothing, lose only their own messages."""
    harness.follow()
    rude = harness.peer(sockets.COMMANDS_CLIENT)
    harness.send(trader.snapshot())
    for n in range(300):
        try_send(rude, encode(Request(id=n, what="status")))
        harness.send(trader.change(A=float(n + 2)))
    while harness.journal.last_seq < 301:
        harness.turn_until_taken(1)
    assert harness.ask("snapshot")["last_seq"] == 301


def test_crash_between_commit_and_publish_loses_nothing_for_who_replays(
    harness: CollectorHarness, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hole in the numbers shows, and the journal fills it."""
    harness.send(trader.snapshot())

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(publisher, "try_send", die)
    with pytest.raises(KeyboardInterrupt):
        harness.send(trader.change(B=2.0))
    monkeypatch.undo()
    harness.collector.close()
    harness.start()
    subscriber = harness.follow()
    token = harness.ask("control")["resync"]["breakout"]
    trader.matches["C"] = 3.0
    harness.send(trader.snapshot(token))
    assert subscriber.poll(WITHIN_MS)
    (signal,) = decode_as(Signals, subscriber.recv()).signals
    assert (signal.seq, signal.symbol) == (3, "C")
    assert [missed["symbol"] for missed in harness.ask("signals", since=1, limit=1)["signals"]] == ["B"]


def test_failed_commit_publishes_nothing_and_ends_the_collector(harness: CollectorHarness, trader: FakeTrader) -> None:
    """What is not in the journal was never published."""
    subscriber = harness.follow()
    harness.send(trader.snapshot())
    assert subscriber.poll(WITHIN_MS)
    subscriber.recv()
    with disk_full_after(0), pytest.raises(TickflagError, match="cannot be used"):
        harness.send(trader.change(B=2.0))
    assert not subscriber.poll(50)


def test_tables_take_what_came_at_the_heartbeat_part_by_part(
    harness: CollectorHarness, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn of deltas writes to the write-ahead log only; from the heartbeat on, each turn folds a part until nothing
    is left."""
    monkeypatch.setattr(journal_module, "FOLD_STEP", 4)
    harness.beat()
    harness.send(trader.snapshot(), *[trader.change(**{f"S{n}": 1.0}) for n in range(9)])
    assert harness.journal.unfolded == 10
    assert harness.collector.idle_ms() > 0
    harness.beat()
    assert harness.journal.unfolded == 6
    assert harness.collector.idle_ms() == 0
    harness.collector.step()
    harness.collector.step()
    assert harness.journal.unfolded == 0
    assert harness.collector.idle_ms() > 0


def test_many_signals_do_not_wait_for_the_heartbeat(
    harness: CollectorHarness, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst does not make the write-ahead log grow until the heartbeat."""
    monkeypatch.setattr(service, "FOLD_FROM", 5)
    harness.beat()
    trader.matches = {f"S{n}": 1.0 for n in range(10)}
    harness.send(trader.snapshot())
    assert harness.journal.unfolded == 0


def test_position_waits_for_the_heartbeat_unless_more_than_a_delta_came(
    harness: CollectorHarness, trader: FakeTrader
) -> None:
    """Deltas alone are saved with the heartbeat; what a trader's new incarnation brings is saved at once."""

    def position() -> tuple[int, int]:
        (saved,) = harness.journal.load().traders
        return saved.position.incarnation, saved.position.seq

    harness.beat()
    harness.send(trader.snapshot())
    assert position() == (1, 1)
    harness.send(trader.change(B=2.0))
    assert position() == (1, 1)
    harness.beat()
    assert position() == (1, 2)
    harness.send(trader.restart(C=1.0))
    assert position() == (2, 1)
    harness.send(roster("breakout"), roster())
    assert harness.journal.load().traders[0].position.retired


def test_idle_ends_with_the_next_duty(harness: CollectorHarness) -> None:
    """The loop sleeps until the heartbeat at most, and wakes when it is due."""
    harness.beat()
    assert harness.collector.idle_ms() == 500
    harness.clock.now_ns += 499_500_000
    assert harness.collector.idle_ms() == 1
    harness.clock.now_ns += 500_000
    assert harness.collector.idle_ms() == 0


def test_backlog_is_no_silence(harness: CollectorHarness, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that was held up reads its queue before it calls anyone stale."""
    monkeypatch.setattr(service, "DRAIN_LIMIT", 1)
    other = FakeTrader("other")
    harness.send(trader.snapshot(), other.snapshot())
    harness.clock.now_ns += 60_000_000_000
    queue = [encode(trader.heartbeat()), encode(other.heartbeat())]
    monkeypatch.setattr(service, "receive", lambda _socket: queue.pop(0) if queue else None)
    for _ in range(3):
        harness.collector.step()
    assert "trader stale" not in harness.log.events()


class WaitedForMetricsServer:
    """Stands for the server of the metrics: somebody waits for each page."""

    url = "http://127.0.0.1:9464/metrics"
    ticket = 1

    def __init__(self) -> None:
        self.pages: list[bytes] = []

    def show(self, page: bytes, ticket: int) -> None:
        self.pages.append(page)


def test_metrics_are_made_at_a_heartbeat_without_a_pause(harness: CollectorHarness, trader: FakeTrader) -> None:
    """Turns follow one another until the page is there; between two heartbeats nothing is made.

    The collector's own figures include a dropped frame and the address of the metrics. Signals count with the time
    since their oldest update. A trader that is gone has no figures.
    """
    harness.collector.close()
    server = WaitedForMetricsServer()
    harness.start(cast(MetricsServer, server))
    harness.beat()
    while harness.collector.idle_ms() == 0:
        harness.collector.step()
    pages = len(server.pages)
    assert pages == 1
    harness.send(trader.snapshot(), b"no message")
    late = trader.change(B=2.0).model_copy(update={"oldest_ns": harness.clock.now_ns - 30_000_000})
    harness.send(late)
    assert len(server.pages) == pages
    harness.beat()
    while harness.collector.idle_ms() == 0:
        harness.collector.step()
    text = server.pages[pages].decode()
    assert 'tickflag_trader_matches{trader="breakout"} 2.0' in text
    assert 'tickflag_trader_signal_latency_seconds_sum{trader="breakout"} 0.03\n' in text
    assert "tickflag_feed_up 0.0" in text
    assert "tickflag_collector_dropped_messages_total 1.0" in text
    assert harness.ask("status")["collector"]["metrics"] == server.url
    harness.send(roster("breakout"), roster())
    harness.beat()
    while harness.collector.idle_ms() == 0:
        harness.collector.step()
    assert "breakout" not in server.pages[-1].decode()
    assert [fields["metrics"] for _, event, fields in harness.log.lines if event == "started"] == ["off", server.url]


def test_without_metrics_nobody_is_told_of_them(harness: CollectorHarness) -> None:
    """The address is empty, and the log says `off`."""
    assert harness.ask("status")["collector"]["metrics"] == ""
    assert harness.log.lines[0][2]["metrics"] == "off"


def test_audits_go_to_the_experiments(harness: CollectorHarness, trader: FakeTrader) -> None:
    """The views do not get them: no signal comes of an audit, and only a trader's results count as heard."""
    harness.send(AUDIT, trader.snapshot(), AUDIT)
    status = harness.ask("status")
    assert status["saving"]["audits"] == 1  # an audit of an unknown trader does not count
    assert (status["collector"]["dropped_messages"], status["collector"]["last_seq"]) == (0, 1)
    harness.send(roster("breakout"), roster(), AUDIT)
    assert harness.ask("status")["saving"]["audits"] == 1
    assert harness.ask("experiments")["tracking"]["traders"] == []


def test_faults_go_to_the_circuits(harness: CollectorHarness, trader: FakeTrader) -> None:
    """A fault changes no view."""
    fault = Fault(trader="breakout", incarnation=1, cycle=1, time_ms=1, what="raise", text="it raised")
    harness.send(trader.snapshot(), fault)
    assert harness.ask("status")["collector"]["dropped_messages"] == 0
    assert harness.ask("traders")[0]["state"] == "running"
    assert [one["errors"] for one in harness.ask("circuits", trader="breakout")] == [0, 1]


def test_experiments_follow_the_feature_flags(harness: CollectorHarness, trader: FakeTrader) -> None:
    """A command counts in the same turn; heartbeats and results count as they come."""
    harness.ask("flags.set", flag="batch_mode", value=50)
    assert [one["flag"] for one in harness.ask("experiments")["experiments"]] == ["batch_mode"]
    harness.send(trader.snapshot())
    for cycles in (1, 2):
        harness.clock.now_ns += 2_000_000_000
        harness.send(trader.heartbeat(cycles=cycles, cpu_ns=cycles * 500))
    harness.clock.now_ns += 2_000
    harness.send(trader.change(B=1.0).model_copy(update={"oldest_ns": harness.clock.now_ns - 700}))
    harness.send(trader.change(B=None).model_copy(update={"oldest_ns": harness.clock.now_ns - 300}))
    (one,) = harness.ask("experiments", flag="batch_mode")["experiments"]
    (arm,) = (arm for arm in one["arms"] if arm["traders"])
    assert (arm["cycles"], arm["results"], arm["means"]["cpu_ns"], arm["means"]["latency_ns"]) == (1, 2, 500.0, 500.0)
    harness.ask("flags.kill", flag="batch_mode")
    assert not harness.ask("experiments", flag="batch_mode")["experiments"][0]["running"]


def test_experiments_are_saved_at_the_heartbeat_and_at_the_end(harness: CollectorHarness, trader: FakeTrader) -> None:
    """A restarted collector goes on with the sums."""

    def saved() -> int:
        document = RecordStore(harness.journal).document("experiments")
        assert document is not None
        return int(document["saving"]["traders"].get("breakout", {"n": 0})["n"])

    harness.beat()
    harness.send(trader.snapshot(), AUDIT)
    for beats in range(20):
        assert saved() == 0, beats
        harness.beat()
    harness.beat()
    assert saved() == 1
    harness.send(AUDIT)
    harness.collector.close()
    assert saved() == 2
    harness.start()
    assert harness.ask("status")["saving"]["audits"] == 2


def test_a_circuit_that_opens_takes_back_a_ramp_and_both_are_notices(
    harness: CollectorHarness, trader: FakeTrader
) -> None:
    """Notices are on the signal feed and in the journal, with numbers of their own, before the control state that
    follows."""
    follower = harness.follow()
    harness.send(trader.snapshot(), trader.heartbeat())
    harness.ask("flags.ramp", flag="batch_mode", steps=[[0.001, 3600], [100, 0]], who="ann")
    for cycle in range(5):
        harness.send(Fault(trader="breakout", incarnation=1, cycle=cycle, time_ms=1, what="gap", text="it is late"))
    harness.ask("status")
    notices = harness.ask("notices")
    told = [(one["seq"], one["what"], one["trader"], one["reason"]) for one in notices["notices"]]
    assert [one[:3] for one in told] == [
        (1, "feature flag", ""),
        (2, "tracking circuit", "breakout"),
        (3, "feature flag", ""),
    ]
    assert told[0][3] == "ann"
    assert told[2][3] == "recovery: tracking circuit of trader 'breakout' opened"
    live: list[Notice] = []
    while len(live) < 3:
        assert follower.poll(WITHIN_MS)
        message = decode(follower.recv())
        if isinstance(message, Notices):
            live += message.notices
    assert [one.model_dump() for one in live] == notices["notices"]
    assert harness.ask("control")["process_all"] == ["breakout"]
