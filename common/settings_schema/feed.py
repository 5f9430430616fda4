"""The blocks of the feed and its sources."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from tickflag.common.segment.layout import MAX_CAPACITY
from tickflag.common.settings_schema.block import Block, Milliseconds
from tickflag.common.units import S_PER_DAY, S_PER_LEAP_YEAR

LAST = "last"
"""The entry of `feed.history` that is no file."""

STALE_BEATS = 3
"""A feed without a heartbeat for so many `heartbeat_ms` is stale."""


class SyntheticBlock(Block):
    symbols: int = Field(300, ge=1, le=MAX_CAPACITY)
    """Symbols of the generated market."""
    rate: float = Field(400.0, ge=0, le=5_000_000)
    """Ticks a second in a quiet phase."""
    busy_factor: float = Field(5.0, ge=1, le=1_000)
    """How much busier a busy phase is."""
    phase_s: float = Field(30.0, gt=0, le=S_PER_DAY)
    """Length of a quiet phase; a busy one takes a fifth of it."""
    seed: int = 7
    """The same seed gives the same market."""
    history: int = Field(100, ge=0, le=100_000)
    """Candles of each interval that exist at the start."""


class ReplayBlock(Block):
    recordings: list[Path] = Field(default=[])
    """Files that the source `replay` plays, merged by time."""
    speed: float = Field(1.0, ge=0, le=1_000_000)
    """Multiple of real time; 0 is as fast as possible."""


class FeedBlock(Block):
    source: str = "synthetic"
    """`synthetic`, `replay`, or the name of a source plugin."""
    min_swap_interval_ms: Milliseconds = 100.0
    """Least time between two swaps; 0 swaps after each batch from the source."""
    rate_limit_ms: Milliseconds = 100.0
    """Least time between two ticker announcements of one symbol; 0 is off."""
    heartbeat_ms: Annotated[float, Field(ge=10, le=60_000)] = 500.0
    """Time between signs of life. A feed that is silent for three times as long is stale."""
    watermark_ms: Milliseconds = 2_000.0
    """How long after its end a candle waits for late trades."""
    ahead_limit_s: Annotated[float, Field(ge=0, le=S_PER_LEAP_YEAR)] = 60.0
    """An update whose event time lies further than this after its receipt is refused."""
    behind_limit_s: Annotated[float, Field(ge=0, le=S_PER_LEAP_YEAR)] = 604_800.0
    """A tick whose event time lies further than this before its receipt is refused."""
    history: list[str] = Field(default=[])
    """Candles at the start: recordings, and `last` for those saved at the last stop."""
    history_age_s: Annotated[float, Field(ge=0, le=S_PER_LEAP_YEAR)] = 3_600.0
    """A stop that is longer ago than this leaves no candles."""
