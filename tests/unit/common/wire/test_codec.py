import contextlib
import inspect
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import zstandard
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.stand_ins.messages import MESSAGES, any_message, messages
from tickflag.common.errors import MessageError
from tickflag.common.wire import codec
from tickflag.common.wire.codec import (
    MAX_FRAME_BYTES,
    Swap,
    decode,
    decode_as,
    decode_event,
    encode,
    encode_event,
    encode_signals,
    topic,
)
from tickflag.common.wire.messages import (
    AnyMessage,
    Control,
    Delta,
    Heartbeat,
    Message,
    Reply,
    Request,
    Roster,
    Signals,
    Snapshot,
    SwapEvent,
)

EVENT = SwapEvent(
    channel="ticker", generation=1, cycle=2, buffer="A", segment="1.seg", flagged=3, symbols=4, oldest_ns=5, time_ns=6
)
DELTA = Delta(
    trader="t", incarnation=1, seq=2, cycle=3, time_ms=4, entered={"BTC": 1.5}, left=["ETH"], notes={"BTC": "up"}
)


def _refused(frame: bytes, decoder: Callable[[bytes], Any] = decode) -> str:
    """The reason why a frame is refused."""
    with pytest.raises(MessageError) as caught:
        decoder(frame)
    return str(caught.value)


def _packed(message: Message, **values: Any) -> bytes:
    """A message's frame in which the fields `values` are replaced."""
    content = message.to_array()
    for name, value in values.items():
        content[message.wire_fields.index(name)] = value
    frame: bytes = msgpack.packb(content)
    return frame


@settings(deadline=None)
@given(message=any_message(), compress_from=st.sampled_from([0, 1, 100]))
def test_every_message_comes_back_as_it_was(message: AnyMessage, compress_from: int) -> None:
    """Encoding and decoding give an equal message of the same type, compressed or not."""
    back = decode(encode(message, compress_from))
    assert type(back) is type(message)
    assert back == message
    assert decode_as(type(message), encode(message)) == message


@settings(deadline=None)
@given(event=messages(SwapEvent))
def test_every_event_comes_back_from_its_frame(event: SwapEvent) -> None:
    """A swap's frame is its topic and the event's own frame, field by field; channels with a zero byte are refused."""
    assume("\0" not in event.channel)
    assert event.wire_fields == ("kind", "version", *Swap._fields)
    frame = encode_event(Swap(*event.to_array()[2:]))
    assert frame == topic(event.channel) + encode(event)
    assert decode_event(frame) == event


@given(channels=st.lists(st.text(st.characters(min_codepoint=1, codec="utf-8"), min_size=1), min_size=2, unique=True))
def test_no_topic_is_the_beginning_of_another(channels: list[str]) -> None:
    """A subscriber of `1m` gets no frame of `1m5`, whatever the channels' names."""
    first, second = channels[:2]
    assert not topic(first).startswith(topic(second))


@settings(deadline=None, max_examples=200)
@given(frame=st.binary(max_size=200))
def test_noise_is_never_more_than_a_message_error(frame: bytes) -> None:
    """Whatever bytes come, each decoder gives a message or raises MessageError."""
    for decoder in (decode, decode_event):
        for noise in (frame, codec._ZSTD_MAGIC + frame, b"ticker\0" + frame):
            with contextlib.suppress(MessageError):
                decoder(noise)


@settings(deadline=None, max_examples=150)
@given(message=any_message(), compress_from=st.sampled_from([0, 1]), data=st.data())
def test_damage_is_never_more_than_a_message_error(message: Any, compress_from: int, data: st.DataObject) -> None:
    """A frame with changed, missing or added bytes decodes to some message or raises MessageError."""
    frame = bytearray(encode(message, compress_from))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(frame)))
    for damaged in (bytes(frame), bytes(frame[:cut]), bytes(frame) + b"\0"):
        with contextlib.suppress(MessageError):
            decode(damaged)


_ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5)
    | st.binary(max_size=5) | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(message=any_message(), data=st.data())
def test_wrong_fields_are_never_more_than_a_message_error(message: AnyMessage, data: st.DataObject) -> None:
    """Well-formed msgpack with anything in any field decodes to some message or raises MessageError."""
    content = message.to_array()
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(_ANYTHING)
    try:
        back = decode(msgpack.packb(content))
    except MessageError:
        return
    encode(back)


@pytest.mark.parametrize("plain", [None, 1, "swap", {}, {"kind": "swap"}, [], [1], [None], [["swap"]], [b"swap"]])
def test_what_is_no_message_at_all_is_refused(plain: Any) -> None:
    """A message is an array that begins with its kind."""
    assert "array that begins with its kind" in _refused(msgpack.packb(plain))


def test_an_unknown_kind_is_named() -> None:
    """The reason has the kind, or its beginning."""
    assert "'frob'" in _refused(msgpack.packb(["frob", 1]))
    assert len(_refused(msgpack.packb(["x" * 10_000, 1]))) < 200


def test_another_version_is_refused() -> None:
    """A message of an unknown version is refused."""
    assert _refused(_packed(EVENT, version=2)).startswith("version")


@pytest.mark.parametrize("wrong", [-1, 1.5, "1", True, None, [1]])
def test_a_wrong_field_is_named(wrong: Any) -> None:
    """The reason begins with the field's name: no type is converted to another."""
    assert _refused(_packed(EVENT, cycle=wrong)).startswith("cycle")


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite(wrong: float) -> None:
    """A score that is not finite is refused; the reason says where."""
    assert _refused(_packed(DELTA, entered={"BTC": wrong})).startswith("entered.BTC")


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_names_have_a_length(name: str) -> None:
    """An empty or endless name is refused."""
    assert _refused(_packed(DELTA, left=[name])).startswith("left.0")


def test_notes_have_a_length() -> None:
    """A match may have a short text, and not an endless one; the reason says where."""
    longest = "ä" * 200
    assert decode(_packed(DELTA, notes={"BTC": longest})) == DELTA.model_copy(update={"notes": {"BTC": longest}})
    assert _refused(_packed(DELTA, notes={"BTC": longest + "x"})).startswith("notes.BTC")


def test_results_without_notes_have_none() -> None:
    """Frames of a program that knew no notes decode as they did."""
    snapshot = Snapshot(trader="t", incarnation=1, seq=2, cycle=3, time_ms=4, matches={"BTC": 1.5})
    bare = DELTA.model_copy(update={"notes": {}})
    for message in (bare, snapshot):
        assert message.wire_fields[-1] == "notes"
        assert decode(msgpack.packb(message.to_array()[:-1])) == message


def test_missing_fields_at_the_end_have_their_defaults() -> None:
    """A frame of an older program, with fewer fields, decodes; a frame that lacks a field of the first version does
    not."""
    older = DELTA.to_array()[:7]
    assert decode(msgpack.packb(older)) == Delta(trader="t", incarnation=1, seq=2, cycle=3, time_ms=4, cycles=0)
    assert _refused(msgpack.packb(older[:5])).startswith("cycle")


@settings(deadline=None, max_examples=300)
@given(delta=messages(Delta), data=st.data())
def test_deltas_are_judged_as_all_messages_are(delta: Delta, data: st.DataObject) -> None:
    """The fast decoding of deltas accepts nothing that the model refuses, and gives the same message."""
    content = delta.to_array()
    for _ in range(data.draw(st.integers(0, 2))):
        odd = st.sampled_from(
            [True, -1, 2, 1.0, "", "x" * 129, {"A": 1}, {"A": float("nan")}, {"": 1.0}, {"A": "x" * 201}, ["A", 1]]
        )
        content[data.draw(st.integers(1, len(content) - 1))] = data.draw(odd | _ANYTHING)
    frame = msgpack.packb(content)
    try:
        expected = Delta.model_validate(msgpack.unpackb(frame, strict_map_key=True))
    except ValueError:
        _refused(frame)
        return
    message = decode(frame)
    assert message == expected
    assert message.model_dump() == expected.model_dump()
    assert message.model_fields_set == expected.model_fields_set
    assert [type(value) for value in message.to_array()] == [type(value) for value in expected.to_array()]


_ODD: list[Any] = [None, True, -1, 2, 1.5, "", "x" * 129, {}, [], {"A": 1}, {"A": True}, {"": 1.0}, ["A", ""], [1]]
_ODD += [{"A": "a"}, {"A": "x" * 201}, {"": "a"}]


@pytest.mark.parametrize("field", DELTA.wire_fields[1:])
def test_each_field_of_a_delta_is_judged_as_in_all_messages(field: str) -> None:
    """So it is for each field by itself, and for anything but a finite number, text or whole number where that
    belongs."""
    for odd in _ODD:
        frame = _packed(DELTA, **{field: odd})
        try:
            expected = Delta.model_validate(msgpack.unpackb(frame))
        except ValueError:
            assert _refused(frame).startswith(field)
        else:
            assert decode(frame) == expected


@settings(deadline=None)
@given(signals=messages(Signals))
def test_signals_are_encoded_from_their_values_alike(signals: Signals) -> None:
    """The frame is that of the model, byte by byte."""
    rows = [tuple(signal.to_array()) for signal in signals.signals]
    place = signals.last_seq, signals.journal_id, signals.last_notice
    assert codec.encode_signals(rows, *place) == encode(signals)


def test_fields_that_are_unknown_are_ignored() -> None:
    """A frame of a newer program, with more fields at the end, decodes."""
    assert decode(msgpack.packb([*EVENT.to_array(), "new", {"er": 1}])) == EVENT


def test_the_kind_that_is_expected_is_named() -> None:
    """`decode_as` refuses another kind and names the one that came."""
    with pytest.raises(MessageError, match="expected SwapEvent, got 'delta'"):
        decode_as(SwapEvent, encode(DELTA))


def test_an_events_topic_has_to_be_its_channel() -> None:
    """A frame without a topic, or with another channel's, is refused."""
    assert "begins with its channel" in _refused(b"ticker", decode_event)
    assert "topic b'1m' of an event of 'ticker'" in _refused(topic("1m") + encode(EVENT), decode_event)
    assert "expected SwapEvent" in _refused(topic("ticker") + encode(DELTA), decode_event)


def test_large_messages_are_compressed() -> None:
    """A frame of the given size or more is compressed; a smaller one is not, and with 0 none is; both decode alike."""
    delta = DELTA.model_copy(update={"left": ["SYMBOL"] * 1000})
    plain = encode(delta)
    assert encode(delta, len(plain) + 1) == plain
    packed = encode(delta, len(plain))
    assert packed[:4] == codec._ZSTD_MAGIC
    assert len(packed) < len(plain) / 10
    assert decode(packed) == decode(plain) == delta


def test_no_message_begins_like_a_compressed_one() -> None:
    """A plain frame begins with an array's byte, which is not that of zstd's magic number."""
    assert codec._ZSTD_MAGIC[0] not in {encode(EVENT)[0], *range(0x90, 0xA0), 0xDC, 0xDD}


def test_a_message_too_large_is_not_sent() -> None:
    """Encoding refuses what every receiver would drop, with both sizes."""
    reply = Reply(id=1, result=bytes(MAX_FRAME_BYTES))
    with pytest.raises(MessageError, match=rf"larger than {MAX_FRAME_BYTES:,}"):
        encode(reply)


def test_a_frame_too_large_is_not_looked_at() -> None:
    """The size is checked before anything is decoded."""
    assert "larger than" in _refused(bytes(MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize("levels", [2_000, 1_000_000])
def test_nesting_has_a_limit(levels: int) -> None:
    """Deep nesting is refused: it ends no process."""
    frame = encode(Reply(id=1, result=None))
    assert frame.endswith(b"\xc0")  # the result, None
    assert "not msgpack" in _refused(frame[:-1] + b"\x91" * levels + b"\xc0")


def test_declared_sizes_are_not_believed() -> None:
    """A short frame that declares a huge array, map or text is refused without allocating memory for it."""
    tracemalloc.start()
    try:
        for head in (b"\xdd", b"\xdf", b"\xdb", b"\xc6"):
            assert "not msgpack" in _refused(head + b"\xff" * 4)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_is_not_unpacked() -> None:
    """A compressed frame declares its size; if that is missing or too large, the frame is refused unopened."""
    bomb = zstandard.ZstdCompressor().compress(bytes(MAX_FRAME_BYTES + 1))
    assert "compressed frame of" in _refused(bomb)
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(encode(EVENT))
    assert "compressed frame of" in _refused(unsized)


def _repeated(piece: bytes, pieces: int, outer: int) -> bytes:
    """The plain content of a reply: a list of `outer` lists, of so many pieces each."""
    inner = b"\xdd" + pieces.to_bytes(4, "big") + piece * pieces
    return encode(Reply(id=1, result=None))[:-1] + b"\xdd" + outer.to_bytes(4, "big") + inner * outer


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    "piece", [b"\x80", b"\x90", b"\xc0", b"\x91\x80", b"\x81\xa1a\x80"], ids=["map", "list", "nil", "nested", "pair"]
)
def test_a_bomb_of_objects_is_refused(piece: bytes, compressed: bool) -> None:
    """Few bytes that stand for millions of objects cost little memory, in whatever containers they are."""
    plain = _repeated(piece, 150_000 // len(piece), 100)
    frame = zstandard.ZstdCompressor(level=19).compress(plain) if compressed else plain
    assert len(frame) < 10_000 or not compressed
    tracemalloc.start()
    try:
        assert "more than 2,500,000 objects" in _refused(frame)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_the_largest_messages_are_no_bombs() -> None:
    """A snapshot of all symbols that fit into a frame is taken, and so are signals, each of which is a list."""
    snapshot = Snapshot(
        trader="t", incarnation=1, seq=2, cycle=3, time_ms=4, matches={f"S{n:07}": float(n) for n in range(900_000)}
    )
    frame = encode(snapshot, 1)
    assert codec._unpacked(frame, MAX_FRAME_BYTES) == snapshot.to_array()
    rows = [(n, "t", "S", 1.0, None, 5, 6, "enter", "") for n in range(100_000)]
    assert len(msgpack.unpackb(encode_signals(rows, 1))[2]) == 100_000
    assert codec._unpacked(encode_signals(rows, 1), MAX_FRAME_BYTES) == msgpack.unpackb(encode_signals(rows, 1))


def test_a_frame_that_lies_about_its_size_is_refused() -> None:
    """The content is larger than the header declares: nothing beyond the declared size is unpacked."""
    frame = bytearray(zstandard.ZstdCompressor().compress(bytes(200)))
    assert zstandard.frame_content_size(bytes(frame)) == 200
    frame[frame.index(200)] = 5
    assert "damaged" in _refused(bytes(frame))


@pytest.mark.parametrize("cut", [4, 5, 10, -1])
def test_a_damaged_compressed_frame_is_refused(cut: int) -> None:
    """A compressed frame cut off anywhere is not taken for a plain one."""
    frame = encode(DELTA.model_copy(update={"left": ["SYMBOL"] * 100}), 1)
    assert "compressed frame" in _refused(frame[:cut])


def test_compressed_frames_are_opened_once() -> None:
    """A compressed frame in a compressed frame is no message."""
    inner = encode(DELTA, 1)
    assert "not msgpack" in _refused(zstandard.ZstdCompressor().compress(inner))


@pytest.mark.parametrize("error", [MemoryError, RecursionError])
def test_running_out_while_unpacking_is_the_frames_fault(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame for which memory or stack run out is dropped like any other bad one."""

    def fail(*_arguments: Any, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(msgpack, "unpackb", fail)
    assert error.__name__ in _refused(b"x")


def test_all_messages_are_frozen() -> None:
    """A message does not change after it was made."""
    for message in (EVENT, DELTA):
        with pytest.raises(ValueError, match="frozen"):
            message.cycle = 9


def test_every_kind_has_a_name_of_its_own() -> None:
    """No two messages share a kind, and each docstring says what it is for."""
    kinds = [kind.model_fields["kind"].default for kind in MESSAGES]
    assert len(set(kinds)) == len(kinds)
    for kind in MESSAGES:
        assert inspect.getdoc(kind)
        assert kind.wire_fields[:2] == ("kind", "version")


@pytest.mark.parametrize(("processed", "skipped", "efficiency"), [(0, 0, 0.0), (5, 0, 0.0), (0, 5, 1.0), (1, 3, 0.75)])
def test_efficiency_is_the_share_of_work_not_needed(processed: int, skipped: int, efficiency: float) -> None:
    """It is the skipped symbols' share of all; 0 before the first cycle."""
    progress = DELTA.model_copy(update={"processed": processed, "skipped": skipped})
    assert progress.efficiency == efficiency


def test_messages_of_one_base_are_told_apart() -> None:
    """Snapshot, delta and heartbeat share their first fields and never decode as one another."""
    for kind in (Snapshot, Heartbeat, Roster, Control):
        with pytest.raises(MessageError):
            decode_as(kind, encode(DELTA))


@pytest.mark.parametrize("compress_from", [0, 1])
def test_a_limit_of_the_receivers_own(compress_from: int) -> None:
    """The limit counts for the frame and, where it is compressed, for its content."""
    frame = encode(Request(id=1, what="x", arguments={"a": "y" * 1_000}), compress_from)
    assert decode_as(Request, frame, 1_100).what == "x"
    with pytest.raises(MessageError, match=r"a (compressed )?frame of 1,0\d\d bytes"):
        decode_as(Request, frame, 1_000)
    with pytest.raises(MessageError, match=r"a (compressed )?frame of 1,0\d\d bytes"):
        decode(frame, 1_000)


def test_a_reason_fits_a_log() -> None:
    """A peer's name that it quotes is shown without line ends and without control characters."""
    assert "arguments.??[2Jx" in _refused(msgpack.packb(["request", 1, 1, "x", {"\n\x1b[2J" + "x" * 200: 1}]))
