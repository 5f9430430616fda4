"""The collector's loop, turn by turn, over real sockets in this process."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import zmq

from common import sockets
from common.clock import ReplayClock
from common.codec import decode, decode_as, encode
from common.errors import TickflagError
from common.log import Logger
from common.messages import Audit, Control, Fault, Message, Notice, Notices, Reply, Request, Signals, SwapEvent
from common.runtime import Runtime
from common.settings import load
from common.sockets import Role, Socket, open_socket, try_send
from services.collector import journal as journal_module
from services.collector import service
from services.collector.journal import Journal
from services.collector.metrics_server import MetricsServer
from services.collector.records import Records
from services.collector.service import Collector
from tests.support.disk import disk_full_after
from tests.support.fake_trader import FakeTrader, roster
from tests.support.folders import runtime_folder
from tests.support.recorded_log import RecordedLog

WITHIN_MS = 10_000


AUDIT = Audit(trader="breakout", incarnation=1, cycle=1, time_ms=1, symbols=5, part_ns=10, full_ns=100)


class Plant:
    """A collector, its journal, and one of each of its peers."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.context: sockets.Context = zmq.Context()
        self.clock = ReplayClock(1_000_000_000)
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

    def peer(self, role: Role) -> Socket:
        socket = open_socket(self.context, self.runtime, role)
        self._peers.append(socket)
        return socket

    def turn_until_taken(self, frames: int) -> None:
        """Steps until so many frames were taken; a step that takes none waits for the next one."""
        while frames > 0:
            taken = self.collector.step()
            frames -= taken
            if not taken:
                assert any(zmq.select(list(self.collector.inputs), [], [], WITHIN_MS / 1e3)), "nothing came"

    def send(self, *messages: Message | bytes) -> None:
        """Push frames as a trader does, and have them taken in one turn after another."""
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
        """A subscription to the signals that is known to work."""
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
def plant() -> Iterator[Plant]:
    with runtime_folder() as runtime:
        plant = Plant(runtime)
        yield plant
        plant.close()


@pytest.fixture
def trader() -> FakeTrader:
    trader = FakeTrader()
    trader.matches = {"A": 1.0}
    return trader


def test_results_are_journalled_and_published_with_the_same_numbers(plant: Plant, trader: FakeTrader) -> None:
    """A subscriber gets what the journal holds."""
    subscriber = plant.follow()
    plant.send(trader.snapshot(), trader.change(B=2.0), trader.change(A=None))
    published: list[Any] = []
    while len(published) < 3:
        assert subscriber.poll(WITHIN_MS)
        message = decode_as(Signals, subscriber.recv())
        assert message.last_seq == message.signals[-1].seq
        published += message.signals
    assert published == plant.journal.signals(0, 10)
    assert [(signal.seq, signal.symbol, signal.event) for signal in published] == [
        (1, "A", "entered"),
        (2, "B", "entered"),
        (3, "A", "left"),
    ]


def test_large_batch_is_published_in_several_messages(
    plant: Plant, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No receiver would take a message larger than the limit."""
    monkeypatch.setattr(service, "SIGNALS_PER_MESSAGE", 4)
    subscriber = plant.follow()
    trader.matches = {f"S{n}": 1.0 for n in range(10)}
    plant.send(trader.snapshot())
    messages = []
    for _ in range(3):
        assert subscriber.poll(WITHIN_MS)
        messages.append(decode_as(Signals, subscriber.recv()))
    assert [(len(message.signals), message.last_seq) for message in messages] == [(4, 4), (4, 8), (2, 10)]


def test_heartbeat_carries_last_seq_and_control(plant: Plant, trader: FakeTrader) -> None:
    """Who missed the last message, or came late, learns of it within a heartbeat."""
    signals, controls = plant.follow(), plant.peer(sockets.CONTROL_IN)
    plant.send(trader.snapshot())
    assert signals.poll(WITHIN_MS)
    signals.recv()
    while not controls.poll(10):
        plant.beat()
    assert decode_as(Control, controls.recv()).state_version == plant.ask("control")["state_version"]
    message = decode_as(Signals, signals.recv())
    assert (message.signals, message.last_seq) == ([], 1)


def test_resync_is_published_at_once_and_after_it_was_journalled(plant: Plant, trader: FakeTrader) -> None:
    """Without waiting for the heartbeat; a version that was seen is never used again."""
    controls = plant.peer(sockets.CONTROL_IN)
    while not controls.poll(10):
        plant.beat()
    controls.recv()
    trader.snapshot()
    plant.send(trader.heartbeat())
    document = Control(state_version=0, time_ms=0)
    while not document.resync:  # a repetition of the state before may still be on its way
        assert controls.poll(WITHIN_MS)
        document = decode_as(Control, controls.recv())
    assert document.resync.keys() == {"breakout"}
    assert plant.journal.load().state_version == document.state_version


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
def test_garbage_is_counted_and_dropped(plant: Plant, trader: FakeTrader, frame: bytes) -> None:
    """On both doors, between good messages, which are taken all the same."""
    plant.send(frame, trader.snapshot(), frame)
    plant.requests.send(encode(trader.heartbeat()))
    plant.requests.send_multipart([b"", b"two", b"garbage"])
    plant.turn_until_taken(2)
    assert plant.ask("snapshot")["matches"] == {"breakout": {"A": 1.0}}
    assert plant.ask("status")["collector"]["dropped_messages"] == 4
    plant.clock.now_ns += 2_000_000_000
    plant.collector.step()
    assert "dropped messages" in plant.log.events()


def test_client_with_an_envelope_is_answered(plant: Plant) -> None:
    """The route of a request is given back as it came, so that other socket types may ask as well."""
    plant.requests.send_multipart([b"", encode(Request(id=7, what="control"))])
    plant.turn_until_taken(1)
    assert plant.requests.poll(WITHIN_MS)
    empty, frame = plant.requests.recv_multipart()
    assert (empty, decode_as(Reply, frame).id) == (b"", 7)


def test_answer_too_large_is_an_error_and_not_the_end(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told; the collector goes on."""
    monkeypatch.setattr("common.codec.MAX_FRAME_BYTES", 150)
    plant.requests.send(encode(Request(id=7, what="status")))
    plant.turn_until_taken(1)
    assert plant.requests.poll(WITHIN_MS)
    assert "too large" in decode_as(Reply, plant.requests.recv()).error


def test_slow_subscriber_and_client_never_block(plant: Plant, trader: FakeTrader) -> None:
    """A subscriber that reads nothing and a client that asks and reads nothing cost themselves their messages only."""
    plant.follow()
    rude = plant.peer(sockets.COMMANDS_CLIENT)
    plant.send(trader.snapshot())
    for n in range(300):
        try_send(rude, encode(Request(id=n, what="status")))
        plant.send(trader.change(A=float(n + 2)))
    while plant.journal.last_seq < 301:
        plant.turn_until_taken(1)
    assert plant.ask("snapshot")["last_seq"] == 301


def test_crash_between_commit_and_publish_loses_nothing_for_who_replays(
    plant: Plant, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hole in the numbers shows, and the journal fills it."""
    plant.send(trader.snapshot())

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(service, "try_send", die)
    with pytest.raises(KeyboardInterrupt):
        plant.send(trader.change(B=2.0))
    monkeypatch.undo()
    plant.collector.close()
    plant.start()
    subscriber = plant.follow()
    token = plant.ask("control")["resync"]["breakout"]
    trader.matches["C"] = 3.0
    plant.send(trader.snapshot(token))
    assert subscriber.poll(WITHIN_MS)
    (signal,) = decode_as(Signals, subscriber.recv()).signals
    assert (signal.seq, signal.symbol) == (3, "C")
    assert [missed["symbol"] for missed in plant.ask("signals", since=1, limit=1)["signals"]] == ["B"]


def test_failed_commit_publishes_nothing_and_ends_the_collector(plant: Plant, trader: FakeTrader) -> None:
    """What is not in the journal was never said."""
    subscriber = plant.follow()
    plant.send(trader.snapshot())
    assert subscriber.poll(WITHIN_MS)
    subscriber.recv()
    with disk_full_after(0), pytest.raises(TickflagError, match="cannot be used"):
        plant.send(trader.change(B=2.0))
    assert not subscriber.poll(50)


def test_tables_take_what_came_at_the_heartbeat_part_by_part(
    plant: Plant, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn of deltas writes to the tail only; from the heartbeat on each turn folds a part, until nothing is left."""
    monkeypatch.setattr(journal_module, "FOLD_STEP", 4)
    plant.beat()
    plant.send(trader.snapshot(), *[trader.change(**{f"S{n}": 1.0}) for n in range(9)])
    assert plant.journal.unfolded == 10
    assert plant.collector.idle_ms() > 0
    plant.beat()
    assert plant.journal.unfolded == 6
    assert plant.collector.idle_ms() == 0
    plant.collector.step()
    plant.collector.step()
    assert plant.journal.unfolded == 0
    assert plant.collector.idle_ms() > 0


def test_many_signals_do_not_wait_for_the_heartbeat(
    plant: Plant, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst does not make the tail grow until then."""
    monkeypatch.setattr(service, "FOLD_FROM", 5)
    plant.beat()
    trader.matches = {f"S{n}": 1.0 for n in range(10)}
    plant.send(trader.snapshot())
    assert plant.journal.unfolded == 0


def test_position_waits_for_the_heartbeat_unless_more_than_a_delta_came(plant: Plant, trader: FakeTrader) -> None:
    """Deltas alone move it later; what a new life of the trader brings is there at once."""

    def position() -> tuple[int, int]:
        (saved,) = plant.journal.load().traders
        return saved.position.incarnation, saved.position.seq

    plant.beat()
    plant.send(trader.snapshot())
    assert position() == (1, 1)
    plant.send(trader.change(B=2.0))
    assert position() == (1, 1)
    plant.beat()
    assert position() == (1, 2)
    plant.send(trader.restart(C=1.0))
    assert position() == (2, 1)
    plant.send(roster("breakout"), roster())
    assert plant.journal.load().traders[0].position.retired


def test_idle_ends_with_the_next_duty(plant: Plant) -> None:
    """The loop sleeps until the heartbeat at most, and wakes when it is due."""
    plant.beat()
    assert plant.collector.idle_ms() == 500
    plant.clock.now_ns += 499_500_000
    assert plant.collector.idle_ms() == 1
    plant.clock.now_ns += 500_000
    assert plant.collector.idle_ms() == 0


def test_backlog_is_no_silence(plant: Plant, trader: FakeTrader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that was held up looks at its queue before it calls anyone stale."""
    monkeypatch.setattr(service, "DRAIN_LIMIT", 1)
    other = FakeTrader("other")
    plant.send(trader.snapshot(), other.snapshot())
    plant.clock.now_ns += 60_000_000_000
    queue = [encode(trader.heartbeat()), encode(other.heartbeat())]
    monkeypatch.setattr(service, "receive", lambda _socket: queue.pop(0) if queue else None)
    for _ in range(3):
        plant.collector.step()
    assert "trader stale" not in plant.log.events()


class Wanting:
    """Stands for the server of the metrics: somebody waits for each page."""

    url = "http://127.0.0.1:9464/metrics"
    ticket = 1

    def __init__(self) -> None:
        self.pages: list[bytes] = []

    def show(self, page: bytes, ticket: int) -> None:
        self.pages.append(page)


def test_metrics_are_made_at_a_heartbeat_without_a_pause(plant: Plant, trader: FakeTrader) -> None:
    """Turn after turn until the page is there; between two heartbeats there is nothing to do for it. A dropped frame
    and the address are in what the collector tells of itself."""
    plant.collector.close()
    server = Wanting()
    plant.start(cast(MetricsServer, server))
    plant.beat()
    while plant.collector.idle_ms() == 0:
        plant.collector.step()
    pages = len(server.pages)
    assert pages == 1
    plant.send(trader.snapshot(), b"no message")
    assert len(server.pages) == pages
    plant.beat()
    while plant.collector.idle_ms() == 0:
        plant.collector.step()
    text = server.pages[pages].decode()
    assert 'tickflag_trader_matches{trader="breakout"} 1.0' in text
    assert "tickflag_collector_dropped_messages_total 1.0" in text
    assert plant.ask("status")["collector"]["metrics"] == server.url
    assert [fields["metrics"] for _, event, fields in plant.log.lines if event == "started"] == ["off", server.url]


def test_without_metrics_nobody_is_told_of_them(plant: Plant) -> None:
    """The address is empty, the log says off."""
    assert plant.ask("status")["collector"]["metrics"] == ""
    assert plant.log.lines[0][2]["metrics"] == "off"


def test_audits_go_to_the_experiments(plant: Plant, trader: FakeTrader) -> None:
    """And not to the views: no signal comes of one, and the trader is heard of by its results only."""
    plant.send(AUDIT, trader.snapshot(), AUDIT)
    status = plant.ask("status")
    assert status["saving"]["audits"] == 1  # of a trader that is not known none counts
    assert (status["collector"]["dropped_messages"], status["collector"]["last_seq"]) == (0, 1)
    plant.send(roster("breakout"), roster(), AUDIT)
    assert plant.ask("status")["saving"]["audits"] == 1
    assert plant.ask("experiments")["tracking"]["traders"] == []


def test_faults_go_to_the_circuits(plant: Plant, trader: FakeTrader) -> None:
    """And change no view."""
    fault = Fault(trader="breakout", incarnation=1, cycle=1, time_ms=1, what="raise", text="it raised")
    plant.send(trader.snapshot(), fault)
    assert plant.ask("status")["collector"]["dropped_messages"] == 0
    assert plant.ask("traders")[0]["state"] == "running"
    assert [one["errors"] for one in plant.ask("circuits", trader="breakout")] == [0, 1]


def test_experiments_follow_the_feature_flags(plant: Plant, trader: FakeTrader) -> None:
    """From the command on, in the same turn; heartbeats and results are counted when they come."""
    plant.ask("flags.set", flag="batch_mode", value=50)
    assert [one["flag"] for one in plant.ask("experiments")["experiments"]] == ["batch_mode"]
    plant.send(trader.snapshot())
    for cycles in (1, 2):
        plant.clock.now_ns += 2_000_000_000
        plant.send(trader.heartbeat(cycles=cycles, cpu_ns=cycles * 500))
    plant.clock.now_ns += 2_000
    plant.send(trader.change(B=1.0).model_copy(update={"oldest_ns": plant.clock.now_ns - 700}))
    plant.send(trader.change(B=None).model_copy(update={"oldest_ns": plant.clock.now_ns - 300}))
    (one,) = plant.ask("experiments", flag="batch_mode")["experiments"]
    (arm,) = (arm for arm in one["arms"] if arm["traders"])
    assert (arm["cycles"], arm["results"], arm["means"]["cpu_ns"], arm["means"]["latency_ns"]) == (1, 2, 500.0, 500.0)
    plant.ask("flags.kill", flag="batch_mode")
    assert not plant.ask("experiments", flag="batch_mode")["experiments"][0]["running"]


def test_experiments_are_saved_at_the_heartbeat_and_at_the_end(plant: Plant, trader: FakeTrader) -> None:
    """A collector that is started again goes on with the sums."""

    def saved() -> int:
        document = Records(plant.journal).document("experiments")
        assert document is not None
        return int(document["saving"]["traders"].get("breakout", {"n": 0})["n"])

    plant.beat()
    plant.send(trader.snapshot(), AUDIT)
    for beats in range(20):
        assert saved() == 0, beats
        plant.beat()
    plant.beat()
    assert saved() == 1
    plant.send(AUDIT)
    plant.collector.close()
    assert saved() == 2
    plant.start()
    assert plant.ask("status")["saving"]["audits"] == 2


def test_a_circuit_that_opens_takes_back_a_ramp_and_both_are_notices(plant: Plant, trader: FakeTrader) -> None:
    """On the signal feed and in the journal, with numbers of their own, before the control state that follows."""
    follower = plant.follow()
    plant.send(trader.snapshot(), trader.heartbeat())
    plant.ask("flags.ramp", flag="batch_mode", steps=[[0.001, 3600], [100, 0]], who="ann")
    for cycle in range(5):
        plant.send(Fault(trader="breakout", incarnation=1, cycle=cycle, time_ms=1, what="gap", text="it is late"))
    plant.ask("status")
    notices = plant.ask("notices")
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
    assert plant.ask("control")["process_all"] == ["breakout"]
