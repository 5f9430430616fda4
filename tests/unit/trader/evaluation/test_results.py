from typing import Any

import pytest

from common.codec import decode, encode
from common.errors import MessageError
from common.messages import Delta, Snapshot
from services.collector.view import Position, View
from services.trader.matches import MatchSet
from services.trader.results import Results, Tally
from tests.support.seats import settled

NAN = float("nan")
ZSTD = b"\x28\xb5\x2f\xfd"


class Sender:
    """Results of a trader with symbols S0 to S499, and what was sent."""

    def __init__(self, deltas: bool = True, compress_from: int = 0) -> None:
        self.matches = MatchSet()
        self.matches.begin_generation(500, [f"S{number}" for number in range(500)])
        self.tally = Tally()
        self.frames: list[bytes] = []
        self.offered = 0
        self.refuses = False
        self.results = Results("rsi", 3, self.matches, self.tally, self._send, deltas, compress_from, 0.5)
        self.cycle = 0

    def publish(self, scores: dict[int, float], notes: dict[int, str] | None = None) -> Any:
        """Commit scores and notes by slot and publish them, as a runner does."""
        self.cycle += 1
        change = settled(self.matches, scores, notes)
        self.tally.bytes_full += self.results.full_bytes()
        return self.results.publish(change, self.cycle, 1_000 * self.cycle, 7)

    def taken(self) -> list[Any]:
        """The messages that came through since the last look."""
        frames, self.frames = self.frames, []
        return [decode(frame) for frame in frames]

    def _send(self, frame: bytes) -> bool:
        self.offered += 1
        if not self.refuses:
            self.frames.append(frame)
        return not self.refuses


@pytest.fixture
def sender() -> Sender:
    """A sender that sent its snapshot, of S1 with score 1."""
    sender = Sender()
    sender.publish({1: 1.0})
    sender.taken()
    return sender


@pytest.mark.parametrize("scores", [{}, {0: NAN}, {0: 1.5, 3: 2.0}])
def test_a_snapshot_comes_first(scores: dict[int, float]) -> None:
    """Also where nothing matches: from then on the collector knows where the trader stands."""
    sender = Sender()
    sender.publish(scores)
    [snapshot] = sender.taken()
    assert isinstance(snapshot, Snapshot)
    assert snapshot.matches == {f"S{slot}": score for slot, score in scores.items() if score == score}
    assert (snapshot.trader, snapshot.incarnation, snapshot.seq) == ("rsi", 3, 1)
    assert (snapshot.cycle, snapshot.time_ms, snapshot.oldest_ns) == (1, 1_000, 7)
    assert (snapshot.token, snapshot.stale, snapshot.score_step) == (0, [], 0.5)
    assert not sender.results.owes_snapshot


def test_then_deltas(sender: Sender) -> None:
    """A delta holds what changed, and nothing else; its number is one more than that of the result before."""
    sender.publish({0: 5.0, 1: 1.5, 2: NAN})
    sender.publish({0: NAN})
    first, second = sender.taken()
    assert isinstance(first, Delta)
    assert (first.seq, first.entered, first.left, first.scores) == (2, {"S0": 5.0}, [], {"S1": 1.5})
    assert (second.seq, second.entered, second.left, second.scores) == (3, {}, ["S0"], {})


def test_notes_go_with_their_matches(sender: Sender) -> None:
    """A delta has those that came, a snapshot all that stand."""
    sender.publish({0: 5.0, 1: 1.5, 2: NAN}, {0: "low", 2: "nothing"})
    sender.publish({0: 5.0, 1: 2.0}, {0: "lower", 1: "high"})
    sender.results.ask_snapshot(7)
    sender.publish({})
    first, second, snapshot = sender.taken()
    assert (first.notes, second.notes) == ({"S0": "low"}, {"S1": "high"})
    assert snapshot.notes == {"S0": "low", "S1": "high"}
    sender.publish({0: NAN, 1: 3.0})
    sender.results.ask_snapshot(8)
    sender.publish({})
    delta, snapshot = sender.taken()
    assert delta.notes == snapshot.notes == {}


def test_nothing_changed_nothing_sent(sender: Sender) -> None:
    """Such a cycle costs no message and no number."""
    before = (sender.offered, sender.tally.bytes_sent)
    assert sender.publish({1: 1.0, 2: NAN}) is None
    assert sender.publish({}) is None
    assert (sender.offered, sender.tally.bytes_sent) == before
    assert sender.results.seq == 1


def test_after_a_refusal_a_snapshot_is_owed(sender: Sender) -> None:
    """The lost result's number is used up, so the gap shows; the next result taken is a snapshot and heals it."""
    view = View(Position("rsi"))
    healthy = Sender()
    healthy.publish({1: 1.0})
    view.apply_snapshot(healthy.taken()[0], 0)
    sender.refuses = True
    sender.publish({0: 5.0})
    assert sender.results.owes_snapshot
    assert sender.results.blocked
    sender.refuses = False
    sender.results.blocked = False
    sender.publish({2: 6.0})
    [snapshot] = sender.taken()
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.seq, snapshot.matches) == (3, {"S0": 5.0, "S1": 1.0, "S2": 6.0})
    assert view.apply_snapshot(snapshot, 0)
    assert view.matches == sender.matches.scores()
    sender.publish({2: 7.0})
    [delta] = sender.taken()
    assert isinstance(delta, Delta)
    assert view.apply_delta(delta)
    assert view.matches == sender.matches.scores()


def test_while_blocked_nothing_is_offered(sender: Sender) -> None:
    """A collector that is away costs one refusal until the owner tries again, whatever changes meanwhile."""
    sender.refuses = True
    sender.publish({0: 5.0})
    offered = sender.offered
    for _ in range(3):
        assert sender.publish({0: 6.0, 2: 1.0}) is None
        assert sender.publish({0: 5.0, 2: NAN}) is None
    assert (sender.offered, sender.results.seq) == (offered, 2)
    sender.results.blocked = False
    sender.publish({})
    assert sender.offered == offered + 1
    assert sender.results.blocked
    assert sender.results.owes_snapshot


def test_a_requested_snapshot_carries_its_token(sender: Sender) -> None:
    """Once: asked again with the same token, the answer is on its way; with another one, there is another answer."""
    sender.results.ask_snapshot(7)
    sender.publish({})
    [snapshot] = sender.taken()
    assert (snapshot.kind, snapshot.token, snapshot.matches) == ("snapshot", 7, {"S1": 1.0})
    sender.results.ask_snapshot(7)
    sender.publish({})
    assert sender.taken() == []
    sender.results.ask_snapshot(8)
    sender.publish({0: 5.0})
    sender.publish({0: 6.0})
    snapshot, delta = sender.taken()
    assert (snapshot.token, delta.kind) == (8, "delta")


def test_a_refused_answer_keeps_its_token(sender: Sender) -> None:
    """The request is answered by the snapshot that is taken; a later one of our own carries none."""
    sender.results.ask_snapshot(7)
    sender.refuses = True
    sender.publish({})
    sender.refuses = sender.results.blocked = False
    sender.publish({})
    sender.results.owes_snapshot = True
    sender.publish({})
    assert [message.token for message in sender.taken()] == [7, 0]


def test_bytes_are_those_of_the_frames(sender: Sender) -> None:
    """`bytes_sent` counts taken results before compression and `bytes_wire` as sent; one that is refused counts not."""
    sender = Sender(compress_from=2_000)
    sent = wire = 0
    for scores in ({1: 1.0}, {0: 2.0}, dict.fromkeys(range(400), 3.0), {0: 4.0}, {}):
        sender.publish(scores)
        wire += sum(len(frame) for frame in sender.frames)
        sent += sum(len(encode(message)) for message in sender.taken())
    assert (sender.tally.bytes_sent, sender.tally.bytes_wire) == (sent, wire)
    assert wire < sent
    sender.refuses = True
    sender.publish({5: 9.0})
    assert (sender.tally.bytes_sent, sender.tally.bytes_wire) == (sent, wire)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 400])
def test_the_size_of_a_full_result(count: int) -> None:
    """It is the size of the snapshot that would be sent, but for the length of its numbers and of the maps' heads."""
    sender = Sender()
    sender.publish(dict.fromkeys(range(count), 1.5), dict.fromkeys(range(0, count, 2), "a note"))
    [snapshot] = sender.taken()
    plain = snapshot.model_copy(
        update=dict.fromkeys(("seq", "cycle", "time_ms", "bytes_full", "bytes_sent", "oldest_ns"), 0)
    )
    assert len(encode(plain)) - 4 <= sender.results.full_bytes() <= len(encode(snapshot))


def test_a_result_that_no_message_can_hold(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how large and what to do; its number is used up, and as soon as it fits it is sent as a snapshot."""
    monkeypatch.setattr("common.codec.MAX_FRAME_BYTES", 1_000)
    large = dict.fromkeys(range(1, 50), "x" * 200)
    with pytest.raises(MessageError, match=r"'rsi': result with 49 matches and 48 notes: .* larger than 1,000: let fe"):
        sender.publish(dict.fromkeys(large, 1.0), large)
    assert sender.results.blocked
    assert sender.publish({400: 1.0}) is None
    sender.results.blocked = False
    with pytest.raises(MessageError):
        sender.publish({})
    sender.results.blocked = False
    sender.publish(dict.fromkeys(large, 2.0))
    [snapshot] = sender.taken()
    assert (snapshot.kind, snapshot.seq, len(snapshot.matches), snapshot.notes) == ("snapshot", 4, 50, {})
    assert not sender.results.owes_snapshot


def test_a_change_that_no_message_can_hold(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it leads to is sent instead, where that is smaller."""
    sender.publish(dict.fromkeys(range(400), 1.0))
    sender.taken()
    monkeypatch.setattr("common.codec.MAX_FRAME_BYTES", 1_000)
    sender.publish(dict.fromkeys(range(400), NAN))
    [snapshot] = sender.taken()
    assert (snapshot.kind, snapshot.seq, snapshot.matches) == ("snapshot", 3, {})
    assert not sender.results.blocked


def test_large_results_are_compressed() -> None:
    """From the set size on, and only these; whoever receives them sees no difference."""
    sender = Sender(compress_from=1_000)
    sender.publish(dict.fromkeys(range(300), 1.0))
    sender.publish({0: 2.0})
    large, small = sender.frames
    assert large.startswith(ZSTD)
    assert not small.startswith(ZSTD)
    snapshot, _ = sender.taken()
    assert len(snapshot.matches) == 300


def test_without_deltas_every_change_is_a_whole_result() -> None:
    """A cycle that changed something sends the match set; one that did not sends nothing."""
    sender = Sender(deltas=False)
    sender.publish({})
    sender.publish({0: 1.0})
    sender.publish({1: NAN})
    sender.publish({1: 2.0})
    kinds = [(message.kind, message.seq, message.matches) for message in sender.taken()]
    assert kinds == [("snapshot", 1, {}), ("snapshot", 2, {"S0": 1.0}), ("snapshot", 3, {"S0": 1.0, "S1": 2.0})]


def test_stale_matches_are_named() -> None:
    """After a change of generation a snapshot tells which matches await their symbol's data."""
    sender = Sender()
    sender.publish({2: 1.0, 1: 1.0, 10: 1.0})
    sender.matches.begin_generation(500, [f"S{number}" for number in range(500)])
    sender.matches.place(0)
    sender.results.owes_snapshot = True
    sender.publish({2: 1.0})
    assert sender.taken()[-1].stale == ["S1", "S10"]
