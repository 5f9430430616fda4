"""Candle file: all candles of a segment in one file, saved at a stop and read at the next start.

A numpy archive: names, intervals, rings, heads and forming candles of the symbols that trade. `load` verifies its
checksums, and every candle goes through the market's kernels again, so a damaged file does no harm.
"""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickflag.common.arrays import Floats, Records, Slots, Versions
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.layout import CANDLE_FIELDS, NAME_BYTES, OPEN_CANDLE, STATUS_TRADING, SYMBOL_COUNT
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.updates import KLINE, Batch

VERSION = 2
_PRICES = ("open", "high", "low", "close", "volume", "trades")


@dataclass(frozen=True, slots=True, eq=False)
class SavedCandles:
    """What a file holds. `rings` are (interval, symbol, field, depth); the newest candle stands just before `heads`."""

    names: NDArray[np.bytes_]
    intervals_s: tuple[int, ...]
    rings: Floats
    heads: Versions
    opens: Records

    def batches(self, slot: Callable[[str], int]) -> Iterator[Batch]:
        """The candles, one interval after the other; of each symbol the oldest first, the forming one last."""
        slots = np.array([slot(name.decode(errors="replace")) for name in self.names], np.int32)
        for k, seconds in enumerate(self.intervals_s):
            yield Batch(np.concatenate([self._closed(k, seconds, slots), self._forming(k, seconds, slots)]))

    def _closed(self, k: int, seconds: int, slots: Slots) -> Records:
        depth = self.rings.shape[3]
        back = np.arange(-depth, 0)
        kept = back >= -np.minimum(self.heads[k], depth)[:, None]
        at = (self.heads[k][:, None] + back) % depth
        values = np.take_along_axis(self.rings[k], at[:, None, :], axis=2).transpose(0, 2, 1)[kept]
        rows = np.zeros(len(values), KLINE)
        rows["slot"] = np.repeat(slots, kept.sum(axis=1))
        sound = np.nan_to_num(values[:, layout.TIME], nan=0.0, posinf=0.0, neginf=0.0)
        rows["open_ns"] = np.where(np.abs(sound) < 9e9, sound, 0).astype(np.int64) * NS_PER_S
        for name in _PRICES:
            rows[name] = values[:, CANDLE_FIELDS.index(name)]
        rows["closed"] = 1
        return _completed(rows, seconds)

    def _forming(self, k: int, seconds: int, slots: Slots) -> Records:
        there = self.opens[:, k]["first_ns"] > 0
        candles = self.opens[there, k]
        rows = np.zeros(len(candles), KLINE)
        rows["slot"], rows["open_ns"] = slots[there], candles["start_ns"]
        for name in _PRICES:
            rows[name] = candles[name]
        return _completed(rows, seconds)


def path(runtime: Runtime) -> Path:
    """Where the runtime's candle file lies."""
    return runtime.folder / "candles.npz"


def save(where: Path, segment: Segment, wall_ns: int) -> None:
    """Save the segment's candles; replaces the file in one step. Raises OSError."""
    arrays = segment.arrays
    count = int(arrays.living[SYMBOL_COUNT])
    trading = np.flatnonzero(arrays.tickers["status"][:count] == STATUS_TRADING)
    fresh = where.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            np.savez(
                file,
                version=np.int64(VERSION),
                saved_ns=np.int64(wall_ns),
                names=segment.names[trading],
                intervals_s=np.array(segment.layout.intervals_s, np.int64),
                rings=arrays.rings[:, trading],
                heads=arrays.heads[:, trading],
                opens=arrays.opens[trading],
            )
        os.replace(fresh, where)
    finally:
        fresh.unlink(missing_ok=True)


def load(where: Path, wall_ns: int, age_ns: int) -> SavedCandles:
    """The candles of a file not older than `age_ns`. Raises TickflagError, which says why they cannot be used."""
    try:
        with np.load(where, allow_pickle=False) as archive:
            found: dict[str, Any] = {name: archive[name] for name in archive.files}
        if int(found["version"]) != VERSION:
            raise TickflagError(f"{where} was written by another version of this program")
        saved_ns = int(found["saved_ns"])
        saved = SavedCandles(
            found["names"], tuple(found["intervals_s"].tolist()), found["rings"], found["heads"], found["opens"]
        )
        _check(saved)
    except FileNotFoundError:
        raise TickflagError(f"there is no {where}: it is written when the feed stops") from None
    except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise TickflagError(f"{where} is damaged ({type(error).__name__}: {error})") from None
    age_s = (wall_ns - saved_ns) // NS_PER_S
    if not 0 <= age_s * NS_PER_S <= age_ns:
        limit_s = age_ns // NS_PER_S
        raise TickflagError(f"{where} is {age_s:,} s old; `feed.history_age_s` takes up to {limit_s:,}")
    return saved


def _check(saved: SavedCandles) -> None:
    """Raise ValueError where the arrays do not fit together."""
    intervals, symbols = len(saved.intervals_s), len(saved.names)
    if (
        saved.rings.dtype != np.float64
        or saved.rings.shape[:3] != (intervals, symbols, len(CANDLE_FIELDS))
        or saved.rings.ndim != 4
        or not saved.rings.shape[3]
        or saved.heads.dtype != np.int64
        or saved.heads.shape != (intervals, symbols)
        or (saved.heads < 0).any()
        or saved.opens.dtype != OPEN_CANDLE
        or saved.opens.shape != (symbols, intervals)
        or saved.names.dtype != np.dtype(f"S{NAME_BYTES}")
        or any(not 1 <= seconds <= layout.MAX_INTERVAL_S for seconds in saved.intervals_s)
        or not intervals
    ):
        raise ValueError("its arrays do not fit together")


def _completed(rows: Records, seconds: int) -> Records:
    rows["interval_s"] = seconds
    rows["recv_ns"] = rows["open_ns"] + seconds * NS_PER_S * (rows["closed"] != 0)
    return rows
