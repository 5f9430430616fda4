"""A recording: market data that someone else wrote down, given back in chunks in replay time order."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from common.recordings.errors import Fault, FaultLog, Unit

CHUNK_ROWS = 65_536
"""Default for the most rows of a chunk."""

TICK_INPUT = np.dtype(
    [("event_ns", "<i8"), ("recv_ns", "<i8"), ("symbol", "<i4"), ("_pad", "<i4")]
    + [(name, "<f8") for name in ("price", "qty", "bid", "ask", "bid_size", "ask_size")]
    + [(name, "<f8") for name in ("open_24h", "high_24h", "low_24h", "volume_24h")]
)
"""One tick. Times are UTC ns, `recv_ns` is the replay time. NaN: the tick does not state this price or amount."""

KLINE_INPUT = np.dtype(
    [("open_ns", "<i8"), ("recv_ns", "<i8"), ("symbol", "<i4"), ("interval_s", "<i4")]
    + [(name, "<f8") for name in ("open", "high", "low", "close", "volume")]
    + [("trades", "<i8"), ("closed", "<i8")]
)
"""One candle. `recv_ns` is the time at which it became known, `trades` is 0 where unknown, `closed` is 0 or 1."""

Records: TypeAlias = NDArray[np.void]


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
    """Give a chunk in pieces of at most `chunk_rows` rows."""
    for start in range(0, len(chunk), chunk_rows):
        yield chunk.part(start, start + chunk_rows)


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look through a file tells before it is read."""

    symbols: tuple[str, ...]
    kline_intervals_s: frozenset[int]
    start_ns: int | None
    end_ns: int | None
    rows: int


class Recording(ABC):
    """One file, iterated as often as wanted; each iteration reads it anew and counts from zero.

    Rows at fault are refused, counted and reported; the rest goes on. A file that cannot be read any further raises
    RecordingError, after all that could be read was given. One iteration at a time: the counters belong to it.
    """

    unit: ClassVar[Unit] = "row"
    """What a fault's row number counts."""

    def __init__(self, path: Path, on_fault: Callable[[Fault], None] | None, chunk_rows: int) -> None:
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows must be 1 or more, not {chunk_rows}")
        self.name = str(path)
        self._path = path
        self._chunk_rows = chunk_rows
        self._faults = FaultLog(self.name, self.unit, on_fault)
        self._skipped: dict[str, int] = {}
        self._delivered = 0
        self.since_ns = 0
        """Rows before this replay time need not be given, those from it on are. Set it before an iteration."""

    @cached_property
    def survey(self) -> Survey:
        """The look through the file, taken the first time it is asked for (or on opening, where that is cheap)."""
        return self._look_through()

    def symbols(self) -> tuple[str, ...]:
        """Give all symbol names, for making room ahead; a chunk's index refers to its own `symbols`, not to these.

        May name symbols whose every row is refused or skipped.
        """
        return self.survey.symbols

    @property
    def kline_intervals_s(self) -> frozenset[int]:
        """Intervals in seconds of which the recording delivers candles itself."""
        return self.survey.kline_intervals_s

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
    def delivered(self) -> int:
        """Ticks and candles given so far by the current or last iteration."""
        return self._delivered

    @property
    def rejected(self) -> int:
        """Rows (of an array message: elements) refused as faulty so far by the current or last iteration."""
        return self._faults.count

    @property
    def skipped(self) -> Mapping[str, int]:
        """Sound rows or messages left out so far because they state nothing a screener uses, by kind."""
        return MappingProxyType(self._skipped)

    def __iter__(self) -> Iterator[Chunk]:
        self._faults.clear()
        self._skipped.clear()
        self._delivered = 0
        for chunk in self._read():
            for piece in split(chunk, self._chunk_rows):
                self._delivered += len(piece)
                yield piece

    @abstractmethod
    def _look_through(self) -> Survey:
        """Read as little as the survey needs."""

    @abstractmethod
    def _read(self) -> Iterator[Chunk]:
        """Give the good rows in replay time order; chunks of any size, empty ones too."""

    def _skip(self, kind: str, count: int = 1) -> None:
        if count:
            self._skipped[kind] = self._skipped.get(kind, 0) + count
