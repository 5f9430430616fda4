"""Replays in this process by the class `Replay`, with the default settings but for the given ones."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickflag.common.settings import Settings
from tickflag.common.settings_schema.engine import SegmentBlock
from tickflag.common.settings_schema.feed import FeedBlock
from tickflag.services.feed.recordings import CHUNK_ROWS, open_recording
from tickflag.services.replay.replay import Replay, Summary
from tickflag.services.replay.traders import load_traders, placed

Told = tuple[str, str, str, float, int, int, str]
"""Trader, symbol, event, score, time, cycle, note."""


@dataclass(frozen=True)
class PlayedReplay:
    """What a replay gave, and what it complained of."""

    signals: list[Told]
    summary: Summary
    complaints: list[str]

    @property
    def output(self) -> str:
        """What `tickflag replay --json` tells: every signal, then the summary."""
        return "\n".join(json.dumps(line) for line in (*self.signals, self.summary.plain()))


def played(
    paths: Iterable[Path],
    traders: Path,
    intervals: Sequence[str] = ("1m", "5m", "1h"),
    chunk_rows: int = CHUNK_ROWS,
    **feed: Any,
) -> PlayedReplay:
    """Play recordings. `feed` are settings of the feed: by default a cycle follows each moment."""
    complaints: list[str] = []
    feed = {"min_swap_interval_ms": 0.0, "rate_limit_ms": 0.0} | feed
    with _replay(paths, traders, intervals, chunk_rows, feed, complaints) as replay:
        signals: list[Told] = [
            (one.trader, one.symbol, one.event, one.score, one.time_ms, one.cycle, one.note) for one in replay.run()
        ]
        return PlayedReplay(signals, replay.summary(), complaints)


def replayed_quietly(paths: Iterable[Path], traders: Path) -> int:
    """Play recordings at the default pace, and keep nothing but the number of signals."""
    with _replay(paths, traders, ("1m", "5m", "1h"), CHUNK_ROWS, {}, []) as replay:
        return sum(1 for _ in replay.run())


def _replay(
    paths: Iterable[Path],
    traders: Path,
    intervals: Sequence[str],
    chunk_rows: int,
    feed: dict[str, Any],
    complaints: list[str],
) -> Replay:
    settings = Settings(feed=FeedBlock(**feed), segment=SegmentBlock.model_validate({"intervals": list(intervals)}))
    recordings = [open_recording(path, lambda fault: complaints.append(str(fault)), chunk_rows) for path in paths]
    plugins = [one.plugin for one in load_traders(placed([traders]), (), complaints.append).loaded.values()]
    return Replay(settings, recordings, plugins, complaints.append)
