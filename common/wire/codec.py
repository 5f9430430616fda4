"""Messages to frames and back: msgpack, zstd for large frames, with checks of size, nesting, types and finite numbers.

A compressed frame begins with zstd's magic number, with which no msgpack array can begin. A frame that holds no valid
message raises MessageError, which says why. Receivers count such frames and drop them.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple, TypeVar, get_args

import msgpack
import zstandard
from pydantic import ValidationError

from tickflag.common.errors import MessageError
from tickflag.common.wire.messages import NAME_LIMIT, NOTE_LIMIT, AnyMessage, Delta, Message, Signals, SwapEvent

MAX_FRAME_BYTES = 16 << 20  # a snapshot of 100,000 matches takes about 2 MB
MAX_REQUEST_BYTES = 256 << 10  # 16 MB of empty values would take a GB of the receiver's memory
MAX_OBJECTS = 2_500_000  # of a frame: a snapshot of 16 MB holds about 2,000,000 names and numbers
_OBJECTS_OF_CONTAINER = 8  # an empty map takes one byte in the frame, and as much memory as two or three numbers
_COUNTED_FROM_BYTES = 256 << 10  # what a smaller frame unpacks to cannot be much
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

M = TypeVar("M", bound=Message)

_KINDS: dict[str, type[AnyMessage]] = {kind.model_fields["kind"].default: kind for kind in get_args(AnyMessage)}
_SWAP_HEAD = ("swap", 1)  # kind and version
_DELTA = Delta.wire_fields
_DELTA_COUNTS_END = _DELTA.index("entered")
_SIGNALS_HEAD = tuple(Signals(signals=[], last_seq=0).to_array()[:2])
_packer = msgpack.Packer()  # keeps its buffer: a new one would cost more than a small message
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


def encode_signals(rows: Sequence[tuple[Any, ...]], last_seq: int, journal_id: str = "", last_notice: int = 0) -> bytes:
    """The frame of `Signals`. `rows` holds the values of each signal in their order on the wire, which saves an object
    for each signal."""
    frame: bytes = _packer.pack((*_SIGNALS_HEAD, rows, last_seq, journal_id, last_notice))
    return frame


def decode(frame: bytes, limit: int = MAX_FRAME_BYTES) -> AnyMessage:
    """The message of a frame of at most `limit` bytes, compressed or not. Raises MessageError."""
    return _validated(_unpacked(frame, limit))


def decode_as(kind: type[M], frame: bytes, limit: int = MAX_FRAME_BYTES) -> M:
    """The message of a frame that must be of one kind. Raises MessageError, also for another kind."""
    message = decode(frame, limit)
    if not isinstance(message, kind):
        raise MessageError(f"expected {kind.__name__}, got {message.kind!r}")
    return message


def topic(channel: str) -> bytes:
    """The prefix of a channel's swap events, for a subscription. No topic is a prefix of another."""
    return channel.encode() + b"\0"


class Swap(NamedTuple):
    """The fields of a SwapEvent in their order on the wire. They are not checked, as the feed takes them from the
    segment."""

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
    """The frame of a SwapEvent, topic first. It is a single frame because CONFLATE keeps single frames only."""
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
            # The limit is on the size that the frame declares; a frame that declares none is not ours.
            size = zstandard.frame_content_size(frame)
            if not 0 <= size <= limit:
                raise MessageError(f"a compressed frame of {size:,} bytes")
            frame = zstandard.ZstdDecompressor().decompress(frame, max_output_size=limit)
        except zstandard.ZstdError as error:
            raise MessageError(f"damaged compressed frame: {error}") from None
    try:
        if len(frame) < _COUNTED_FROM_BYTES:
            return msgpack.unpackb(frame, strict_map_key=True)
        return _Budget(MAX_OBJECTS).unpacked(frame)
    except (
        ValueError,
        msgpack.UnpackException,
        RecursionError,
        MemoryError,
    ) as error:  # msgpack itself limits the nesting
        raise MessageError(f"not msgpack: {type(error).__name__}: {str(error)[:200]}") from None


class _Budget:
    """Limits what a frame unpacks to: some hundred compressed bytes could hold millions of empty maps, a GB of memory.

    msgpack tells of each list and map when it has unpacked it, which costs little: large messages are long lists and
    maps of names and numbers.
    """

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def unpacked(self, frame: bytes) -> object:
        """What the frame holds. Raises ValueError where that is too much, and what msgpack raises."""
        most = min(len(frame), self._most)
        return msgpack.unpackb(
            frame,
            strict_map_key=True,
            list_hook=self._spend,
            object_hook=self._spend,
            max_array_len=most,
            max_map_len=most,
        )

    def _spend(self, container: Any) -> Any:
        each = 2 if container.__class__ is dict else 1
        self._left -= _OBJECTS_OF_CONTAINER + each * len(container)
        if self._left < 0:
            raise ValueError(f"more than {self._most:,} objects in a frame")
        return container


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
        where = "".join(one if one.isprintable() else "?" for one in where)  # a peer's text gets into the log
        raise MessageError(f"{where or 'message'}: {first['msg']}") from None


def _plain_delta(plain: list[Any]) -> Delta | None:
    """The delta, if the array is just as this version writes one; None for another array, which pydantic then checks.

    Nearly all messages are deltas, and this check takes a third of pydantic's time.
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
