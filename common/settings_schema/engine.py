"""The blocks that every process reads: runtime folder, log, segment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from tickflag.common.runtime import default_root
from tickflag.common.segment.layout import MAX_CAPACITY, MAX_INTERVALS
from tickflag.common.segment.segment import interval_seconds
from tickflag.common.settings_schema.block import Block


class RuntimeBlock(Block):
    root: Path = Field(default_factory=default_root)
    """Folder below which each instance has its segment, sockets, locks and logs; where it is set, the journal too."""


class LogBlock(Block):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is written."""
    style: Literal["console", "json"] = "console"
    """Lines for people or for programs."""


class SegmentBlock(Block):
    capacity: int = Field(1024, ge=1, le=MAX_CAPACITY)
    """Symbols the segment has room for."""
    depth: int = Field(100, ge=1, le=100_000)
    """Closed candles kept for each symbol and interval."""
    intervals: list[str] = Field(["1m", "5m", "15m", "1h"], min_length=1, max_length=MAX_INTERVALS)
    """Candle intervals: a number and s, m, h or d."""
    growth: bool = False
    """A full segment is followed by one of twice the capacity, instead of refusing new symbols."""

    @field_validator("intervals")
    @classmethod
    def _known(cls, intervals: list[str]) -> list[str]:
        seconds = sorted({interval_seconds(interval) for interval in intervals})
        if len(seconds) != len(intervals):
            raise ValueError("an interval is named twice")
        return sorted(intervals, key=interval_seconds)
