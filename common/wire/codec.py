"""Messages to frames and back: msgpack, limits on size and nesting, types and finite numbers checked, zstd for large.

A compressed frame is told by zstd's own magic number, with which no msgpack array can begin. A frame that is not one
of our messages raises MessageError, which says why; whoever receives frames counts and drops those.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple, TypeVar, get_args

import msgpack
import zstandard
from pydantic import ValidationError

from common.errors import MessageError
from common.messages import NAME_LIMIT, NOTE_LIMIT, AnyMessage, Delta, Message, Signals, SwapEvent

MAX_FRAME_BYTES = 16 << 20  # a snapshot of 100,000 matches takes about 2 MB
MAX_REQUEST_BYTES = 256 << 10  # an array of 16 MB of nothing would take a receiver a GB
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

M = TypeVar("M", bound=Message)

_KINDS: dict[str, type[AnyMessage]] = {kind.model_fields["kind"].default: kind for kind in get_args(AnyMessage)}
_SWAP_HEAD = ("swap", 1)  # kind and version
_DELTA = Delta.wire_fields
_DELTA_COUNTS_END = _DELTA.index("entered")
_SIGNALS_HEAD = tuple(Signals(signals=[], last_seq=0).to_array()[:2])
_packer = msgpack.Packer()  # with its buffer: a new one would cost more than a small message
_compressor = zstandard.ZstdCompressor(level=3)


def encode(message: Message, compress_from: int = 0) -> bytes:
    """The message's frame, compressed where it has at least `compress_from` bytes (0: never).

    Raises MessageError for a message larger than a receiver would take.
    """
    frame: bytes = _packer.pack(message.to_array())
    if len(frame) > MAX_FRAME_BYTES:
        raise MessageError(f"a message of {len(frame):,} bytes is larger than {MAX_FRAME_BYTES:,}")
    if compress_from and len(frame) >= compress_from:
        return _compressor.compress(frame)
    return frame


def encode_signals(rows: Sequence[tuple[Any, ...]], last_seq: int) -> bytes:
    """The frame of `Signals`, from its signals' values in their order on the wire: no object is made for each."""
    frame: bytes = _packer.pack((*_SIGNALS_HEAD, rows, last_seq))
    return frame


def decode(frame: bytes, limit: int = MAX_FRAME_BYTES) -> AnyMessage:
    """The message of a frame of at most `limit` bytes, compressed or not. Raises MessageError."""
    return _validated(_unpacked(frame, limit))


def decode_as(kind: type[M], frame: bytes, limit: int = MAX_FRAME_BYTES) -> M:
    """As `decode`, where only one kind is right."""
    message = decode(frame, limit)
    if not isinstance(message, kind):
        raise MessageError(f"expected {kind.__name__}, got {message.kind!r}")
    return message


def topic(channel: str) -> bytes:
    """The prefix by which a swap event's frame is subscribed to. No topic is the beginning of another."""
    return channel.encode() + b"\0"


class Swap(NamedTuple):
    """What a SwapEvent says of a swap, in the order on the wire; unchecked, as the feed writes it from the segment."""

    channel: str
    generation: int
    cycle: int
    buffer: str
    segment: str
    flagged: int
    symbols: int
    oldest_ns: int
    time_ns: int


def encode_event(swap: Swap) -> bytes:
    """The frame of its SwapEvent, topic first: what CONFLATE needs to keep the newest."""
    body: bytes = _packer.pack((*_SWAP_HEAD, *swap))
    return topic(swap.channel) + body


def decode_event(frame: bytes) -> SwapEvent:
    """The event of a frame with its topic. Raises MessageError."""
    head, separator, body = frame.partition(b"\0")
    if not separator:
        raise MessageError("a swap event begins with its channel")
    event = decode_as(SwapEvent, body)
    if event.channel.encode() != head:
        raise MessageError(f"topic {head!r} of an event of {event.channel!r}")
    return event


def _unpacked(frame: bytes, limit: int) -> object:
    if len(frame) > limit:
        raise MessageError(f"a frame of {len(frame):,} bytes is larger than {limit:,}")
    if frame[:4] == _ZSTD_MAGIC:
        try:
            # The limit is on the size the frame declares; one that declares none is not ours.
            size = zstandard.frame_content_size(frame)
            if not 0 <= size <= limit:
                raise MessageError(f"a compressed frame of {size:,} bytes")
            frame = zstandard.ZstdDecompressor().decompress(frame, max_output_size=limit)
        except zstandard.ZstdError as error:
            raise MessageError(f"damaged compressed frame: {error}") from None
    try:
        return msgpack.unpackb(frame, strict_map_key=True)
    except (
        ValueError,
        msgpack.UnpackException,
        RecursionError,
        MemoryError,
    ) as error:  # nesting ends at msgpack's own limit
        raise MessageError(f"not msgpack: {type(error).__name__}: {str(error)[:200]}") from None


def _validated(plain: object) -> AnyMessage:
    if not isinstance(plain, list) or not plain or not isinstance(plain[0], str):
        raise MessageError("a message is an array that begins with its kind")
    kind = _KINDS.get(plain[0])
    if kind is Delta:
        delta = _plain_delta(plain)
        if delta is not None:
            return delta
    if kind is None:
        raise MessageError(f"unknown kind {plain[0][:50]!r}")
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        where = "".join(one if one.isprintable() else "?" for one in where)  # a peer's text, on its way to a log
        raise MessageError(f"{where or 'message'}: {first['msg']}") from None


def _plain_delta(plain: list[Any]) -> Delta | None:
    """The delta of an array as this version writes it, with nothing wrong; None for any other, which pydantic judges.

    Deltas are nearly all the messages there are, and this takes a third of the time.
    """
    if len(plain) != len(_DELTA):
        return None
    version, trader, *counts = plain[1:_DELTA_COUNTS_END]
    entered, left, scores, notes = plain[_DELTA_COUNTS_END:]
    if version.__class__ is not int or version != 1:
        return None
    for count in counts:
        if count.__class__ is not int or count < 0:
            return None
    if entered.__class__ is not dict or left.__class__ is not list or scores.__class__ is not dict:
        return None
    if notes.__class__ is not dict:
        return None
    for score in (*entered.values(), *scores.values()):
        if score.__class__ is not float or not isfinite(score):
            return None
    for note in notes.values():
        if note.__class__ is not str or len(note) > NOTE_LIMIT:
            return None
    for name in (trader, *entered, *left, *scores, *notes):
        if name.__class__ is not str or not 0 < len(name) <= NAME_LIMIT:
            return None
    delta = Delta.__new__(Delta)
    delta.__setstate__(
        {
            "__dict__": dict(zip(_DELTA, plain, strict=True)),
            "__pydantic_fields_set__": set(_DELTA),
            "__pydantic_extra__": None,
            "__pydantic_private__": None,
        }
    )
    return delta
