"""A recording: a file of market data, given in chunks in replay time order."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, TypeAlias

import numpy as np

from tickflag.common.arrays import Records
from tickflag.common.recordings.errors import RowFault, RowFaultLog, Unit
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.recordings.captures.id_ranges import IdRanges

CHUNK_ROWS = 65_536
"""Default for the most rows of a chunk."""

TICK_INPUT = np.dtype(
    [("event_ns", "<i8"), ("recv_ns", "<i8"), ("symbol", "<i4"), ("_pad", "<i4"), ("trade_id", "<i8")]
    + [(name, "<f8") for name in ("price", "qty", "bid", "ask", "bid_size", "ask_size")]
    + [(name, "<f8") for name in ("open_24h", "high_24h", "low_24h", "volume_24h")]
)
"""One tick. Times are UTC ns, `recv_ns` is the replay time. `trade_id` is 0 where there is none; of a price without
a qty it names the trade that had it. NaN: the tick does not state this price or amount."""

KLINE_INPUT = np.dtype(
    [("open_ns", "<i8"), ("recv_ns", "<i8"), ("event_ns", "<i8"), ("until_ns", "<i8")]
    + [("symbol", "<i4"), ("interval_s", "<i4")]
    + [(name, "<f8") for name in ("open", "high", "low", "close", "volume")]
    + [("trades", "<i8"), ("closed", "<i8"), ("last_id", "<i8")]
)
"""One candle. `recv_ns` is the time at which it became known, `event_ns` that of what it states, `until_ns` the end of
the recording's last candle of this symbol and interval. `trades` is 0 where unknown, `closed` is 0 or 1. `last_id` is
the id of the last trade in it, 0 where unknown."""


_QUIET_START_NS = 2 * NS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class TickChunk:
    """Ticks in replay time order. `symbols[i]` is the name behind symbol i of `ticks` (TICK_INPUT).

    Later chunks of the same reading may carry a longer `symbols`; the names already given keep their index.
    """

    symbols: tuple[str, ...]
    ticks: Records

    def __len__(self) -> int:
        return len(self.ticks)

    @property
    def records(self) -> Records:
        """The rows, whichever kind of chunk this is."""
        return self.ticks

    def part(self, start: int, stop: int) -> "TickChunk":
        """Give rows start to stop as a chunk that shares the memory of this one."""
        return replace(self, ticks=self.ticks[start:stop])


@dataclass(frozen=True, slots=True, eq=False)
class KlineChunk:
    """Candles in replay time order. `symbols[i]` is the name behind symbol i of `klines` (KLINE_INPUT).

    Later chunks of the same reading may carry a longer `symbols`; the names already given keep their index.
    """

    symbols: tuple[str, ...]
    klines: Records

    def __len__(self) -> int:
        return len(self.klines)

    @property
    def records(self) -> Records:
        """The rows, whichever kind of chunk this is."""
        return self.klines

    def part(self, start: int, stop: int) -> "KlineChunk":
        """Give rows start to stop as a chunk that shares the memory of this one."""
        return replace(self, klines=self.klines[start:stop])


Chunk: TypeAlias = TickChunk | KlineChunk


def split(chunk: Chunk, chunk_rows: int) -> Iterator[Chunk]:
    """The chunk in pieces of at most `chunk_rows` rows."""
    for start in range(0, len(chunk), chunk_rows):
        yield chunk.part(start, start + chunk_rows)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first pass through a file tells before its rows are read."""

    symbols: tuple[str, ...]
    brought: Mapping[tuple[str, int], int]
    """Symbol and interval (s) of which the recording has candles -> the end of the last one, ns."""
    start_ns: int | None
    end_ns: int | None
    rows: int
    covers_ns: int | None = None
    """The event time from which on the recording has all that happened; None where it has no row."""
    unnumbered: frozenset[str] = frozenset()
    """Symbols with trades that have no id: where another recording has them as well, nobody can tell."""
    numbered: Mapping[str, IdRanges] = field(default_factory=dict)
    """Symbol -> the ids of its single trades, in a recording of a kind that also knows aggregate trades."""


def covered_ns(recordings: Iterable["Recording"]) -> int:
    """The event time from which on one of the recordings has all that happened; 0 where none has a row.

    That is a little before the first row: a quiet market begins no recording on the dot.
    """
    starts = (recording.covers_ns for recording in recordings)
    return max(0, min((start for start in starts if start is not None), default=0) - _QUIET_START_NS)


class Recording(ABC):
    """One file, iterated as often as wanted; each iteration reads it anew and counts from zero.

    Rows at fault are refused, counted and reported; the iteration goes on. A file that cannot be read any further
    raises RecordingError, after all that could be read was given. The counters allow one iteration at a time.
    """

    unit: ClassVar[Unit] = "row"
    """What a fault's row number counts."""

    def __init__(self, path: Path, on_fault: Callable[[RowFault], None] | None, chunk_rows: int) -> None:
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows must be 1 or more, not {chunk_rows}")
        self.name = str(path)
        self._path = path
        self._chunk_rows = chunk_rows
        self._faults = RowFaultLog(self.name, self.unit, on_fault)
        self._skipped: dict[str, int] = {}
        self.since_ns = 0
        """Rows before this replay time may be left out. Set it before an iteration."""

    @cached_property
    def survey(self) -> Survey:
        """The survey of the file, made when it is first asked for (or on opening, where that is cheap)."""
        return self._look_through()

    def symbols(self) -> tuple[str, ...]:
        """All symbol names, to make room ahead. A chunk's indexes refer to the chunk's own `symbols`, not to these.

        May name symbols whose every row is refused or skipped.
        """
        return self.survey.symbols

    @property
    def kline_intervals_s(self) -> frozenset[int]:
        """Intervals in seconds of which the recording delivers candles itself."""
        return frozenset(interval_s for _, interval_s in self.survey.brought)

    @property
    def covers_ns(self) -> int | None:
        """The event time from which on the recording has all that happened, as far as it can tell."""
        return self.survey.covers_ns

    @property
    def start_ns(self) -> int | None:
        """Replay time of the first row, as the file states it before its rows are checked; None where there is none."""
        return self.survey.start_ns

    @property
    def end_ns(self) -> int | None:
        """Replay time of the last row, as the file states it before its rows are checked; None where there is none."""
        return self.survey.end_ns

    @property
    def rows(self) -> int:
        """Rows of the file (lines of a capture, as far as it can be read), good and bad."""
        return self.survey.rows

    @property
    def rejected(self) -> int:
        """Rows (of an array message: elements) refused as faulty so far by the current or last iteration."""
        return self._faults.count

    def verdict(self) -> list[str]:
        """A line each for what the current or last iteration refused, widened or left out: count and reason, and the
        first row of those at fault."""
        return self._faults.summary()

    @property
    def skipped(self) -> Mapping[str, int]:
        """Sound rows or messages left out so far because they state nothing a screener uses, by kind."""
        return MappingProxyType(self._skipped)

    def expect(self, numbered: Mapping[str, IdRanges]) -> None:  # noqa: B027 - most recordings have no aggregates
        """Hear of the single trades (`Survey.numbered`) of all recordings that are read together, before an iteration:
        an aggregate of such trades is left out."""

    def __iter__(self) -> Iterator[Chunk]:
        self._faults.clear()
        self._skipped.clear()
        for chunk in self._read():
            yield from split(chunk, self._chunk_rows)

    @abstractmethod
    def _look_through(self) -> Survey:
        """The survey; reads as little as it needs."""

    @abstractmethod
    def _read(self) -> Iterator[Chunk]:
        """The good rows in replay time order, in chunks of any size, empty ones too."""

    def _skip(self, kind: str, count: int = 1) -> None:
        if count:
            self._skipped[kind] = self._skipped.get(kind, 0) + count
