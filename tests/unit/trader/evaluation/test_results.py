from typing import Any

import pytest

from tests.support.harnesses.runner_harness import settled
from tickflag import Trader
from tickflag.common.errors import MessageError
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.common.wire.codec import decode, encode
from tickflag.common.wire.messages import Delta, Snapshot
from tickflag.services.collector.views.view import Position, View
from tickflag.services.trader.evaluation.assembly import assemble
from tickflag.services.trader.evaluation.plugin.plugin import Plugin

NAN = float("nan")
ZSTD = b"\x28\xb5\x2f\xfd"


class Sender:
    """Results of a trader with symbols S0 to S499, and the frames it sent."""

    def __init__(self, deltas: bool = True, compress_from: int = 0) -> None:
        self.frames: list[bytes] = []
        self.offered = 0
        self.refuses = False
        plugin = Plugin(Trader(name="rsi", score_step=0.5), None, None)
        block = TraderBlock.model_validate({"deltas": deltas, "compress_from_bytes": compress_from})
        parts = assemble(plugin, block, {}, self._send, incarnation=3)
        self.results, self.matches, self.tally = parts.results, parts.matches, parts.tally
        self.matches.begin_generation(500, [f"S{number}" for number in range(500)])
        self.cycle = 0

    def publish(self, scores: dict[int, float], notes: dict[int, str] | None = None) -> Any:
        """Commit scores and notes by slot and publish them, as a runner does."""
        self.cycle += 1
        change = settled(self.matches, scores, notes)
        self.tally.bytes_full += self.results.full_bytes()
        return self.results.publish(change, self.cycle, 1_000 * self.cycle, 7)

    def taken(self) -> list[Any]:
        """The messages that were accepted since the last call."""
        frames, self.frames = self.frames, []
        return [decode(frame) for frame in frames]

    def _send(self, frame: bytes) -> bool:
        self.offered += 1
        if not self.refuses:
            self.frames.append(frame)
        return not self.refuses


@pytest.fixture
def sender() -> Sender:
    """A sender that has sent its snapshot, of S1 with score 1."""
    sender = Sender()
    sender.publish({1: 1.0})
    sender.taken()
    return sender


@pytest.mark.parametrize("scores", [{}, {0: NAN}, {0: 1.5, 3: 2.0}])
def test_a_snapshot_comes_first(scores: dict[int, float]) -> None:
    """The snapshot comes first also where nothing matches: from then on the collector knows the trader's match set."""
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
    """A delta holds only what changed; its number is one more than that of the result before."""
    sender.publish({0: 5.0, 1: 1.5, 2: NAN})
    sender.publish({0: NAN})
    first, second = sender.taken()
    assert isinstance(first, Delta)
    assert (first.seq, first.entered, first.left, first.scores) == (2, {"S0": 5.0}, [], {"S1": 1.5})
    assert (second.seq, second.entered, second.left, second.scores) == (3, {}, ["S0"], {})


def test_notes_go_with_their_matches(sender: Sender) -> None:
    """A delta has the notes that came, a snapshot has all notes."""
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
    """A cycle without a change costs no message and no number."""
    before = (sender.offered, sender.tally.bytes_sent)
    assert sender.publish({1: 1.0, 2: NAN}) is None
    assert sender.publish({}) is None
    assert (sender.offered, sender.tally.bytes_sent) == before
    assert sender.results.seq == 1


def test_after_a_refusal_a_snapshot_is_owed(sender: Sender) -> None:
    """The lost result's number is used up, so the gap shows. The next accepted result is a snapshot, which heals it."""
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
    """The token is carried once: the same token again brings no second answer, another token brings another answer."""
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
    """The accepted snapshot answers the request; a later snapshot that nobody requested carries no token."""
    sender.results.ask_snapshot(7)
    sender.refuses = True
    sender.publish({})
    sender.refuses = sender.results.blocked = False
    sender.publish({})
    sender.results.owes_snapshot = True
    sender.publish({})
    assert [message.token for message in sender.taken()] == [7, 0]


def test_bytes_are_those_of_the_frames(sender: Sender) -> None:
    """`bytes_sent` counts accepted results before compression, `bytes_wire` after it; a refused result does not
    count."""
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
    """The size is that of the snapshot that would be sent, but for the length of its numbers and of the maps' heads."""
    sender = Sender()
    sender.publish(dict.fromkeys(range(count), 1.5), dict.fromkeys(range(0, count, 2), "a note"))
    [snapshot] = sender.taken()
    plain = snapshot.model_copy(
        update=dict.fromkeys(("seq", "cycle", "time_ms", "bytes_full", "bytes_sent", "oldest_ns"), 0)
    )
    assert len(encode(plain)) - 4 <= sender.results.full_bytes() <= len(encode(snapshot))


def test_a_result_that_no_message_can_hold(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how large the result is and what to do. Its number is used up; once the result fits, it is sent as
    a snapshot."""
    monkeypatch.setattr("tickflag.common.wire.codec.MAX_FRAME_BYTES", 1_000)
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
    """The whole match set is sent instead, where it is smaller than the delta."""
    sender.publish(dict.fromkeys(range(400), 1.0))
    sender.taken()
    monkeypatch.setattr("tickflag.common.wire.codec.MAX_FRAME_BYTES", 1_000)
    sender.publish(dict.fromkeys(range(400), NAN))
    [snapshot] = sender.taken()
    assert (snapshot.kind, snapshot.seq, snapshot.matches) == ("snapshot", 3, {})
    assert not sender.results.blocked


def test_large_results_are_compressed() -> None:
    """Results of the set size and above are compressed, and no others; the receiver sees no difference."""
    sender = Sender(compress_from=1_000)
    sender.publish(dict.fromkeys(range(300), 1.0))
    sender.publish({0: 2.0})
    large, small = sender.frames
    assert large.startswith(ZSTD)
    assert not small.startswith(ZSTD)
    snapshot, _ = sender.taken()
    assert len(snapshot.matches) == 300


def test_without_deltas_every_change_is_a_whole_result() -> None:
    """A cycle that changed something sends the match set; a cycle that did not sends nothing."""
    sender = Sender(deltas=False)
    sender.publish({})
    sender.publish({0: 1.0})
    sender.publish({1: NAN})
    sender.publish({1: 2.0})
    kinds = [(message.kind, message.seq, message.matches) for message in sender.taken()]
    assert kinds == [("snapshot", 1, {}), ("snapshot", 2, {"S0": 1.0}), ("snapshot", 3, {"S0": 1.0, "S1": 2.0})]


def test_stale_matches_are_named() -> None:
    """After a change of generation a snapshot names the matches that await their symbol's data."""
    sender = Sender()
    sender.publish({2: 1.0, 1: 1.0, 10: 1.0})
    sender.matches.begin_generation(500, [f"S{number}" for number in range(500)])
    sender.matches.place(0)
    sender.results.owes_snapshot = True
    sender.publish({2: 1.0})
    assert sender.taken()[-1].stale == ["S1", "S10"]
