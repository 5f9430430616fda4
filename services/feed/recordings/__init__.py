"""Recorded markets. In: Parquet files of ticks or klines, and raw exchange captures.

Out: their rows in replay time order, checked, in chunks.
"""

from tickflag.common.recordings.errors import RecordingError, RowFault
from tickflag.services.feed.recordings.merge import merge
from tickflag.services.feed.recordings.open import open_recording
from tickflag.services.feed.recordings.recording import (
    CHUNK_ROWS,
    KLINE_INPUT,
    TICK_INPUT,
    Chunk,
    KlineChunk,
    Recording,
    TickChunk,
    covered_ns,
)

__all__ = [
    "CHUNK_ROWS",
    "KLINE_INPUT",
    "TICK_INPUT",
    "Chunk",
    "KlineChunk",
    "Recording",
    "RecordingError",
    "RowFault",
    "TickChunk",
    "covered_ns",
    "merge",
    "open_recording",
]
