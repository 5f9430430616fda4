"""Recorded markets, read back in replay time order: Parquet ticks and klines, and raw exchange captures."""

from common.recordings.errors import Fault, RecordingError
from services.feed.recordings.merge import merge
from services.feed.recordings.open import open_recording
from services.feed.recordings.recording import (
    CHUNK_ROWS,
    KLINE_INPUT,
    TICK_INPUT,
    Chunk,
    KlineChunk,
    Recording,
    TickChunk,
)

__all__ = [
    "CHUNK_ROWS",
    "KLINE_INPUT",
    "TICK_INPUT",
    "Chunk",
    "Fault",
    "KlineChunk",
    "Recording",
    "RecordingError",
    "TickChunk",
    "merge",
    "open_recording",
]
