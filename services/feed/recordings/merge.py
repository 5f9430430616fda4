"""Several recordings as one stream in replay time order."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from tickflag.common.arrays import Integers, Records, SmallIntegers
from tickflag.common.recordings.symbols import SymbolIndex
from tickflag.services.feed.recordings.captures.id_ranges import IdRanges
from tickflag.services.feed.recordings.recording import (
    CHUNK_ROWS,
    TICK_INPUT,
    Chunk,
    KlineChunk,
    Recording,
    TickChunk,
    split,
)
from tickflag.services.feed.recordings.records import copied, joined, pick


def merge(recordings: Sequence[Recording], chunk_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """The rows of all recordings in replay time order, in chunks of at most `chunk_rows`.

    Rows of the same time come in the order of the recordings' file names, and within one recording in its own order. A
    symbol name is one symbol, whichever recording it comes from. Raises RecordingError when a recording cannot be read
    any further, after all rows of the others before that time were given.
    """
    if chunk_rows < 1:
        raise ValueError(f"chunk_rows must be 1 or more, not {chunk_rows}")
    recordings = sorted(recordings, key=lambda recording: (Path(recording.name).name, recording.name))
    numbered = _numbered(recordings)
    for recording in recordings:
        recording.expect(numbered)
    index = SymbolIndex()
    heads = [_Head(recording, index) for recording in recordings]
    while True:
        # Each fetches only once it has no row left: an error comes only when the damaged recording's next row is due.
        live = [head for head in heads if head.fill()]
        if not live:
            return
        for chunk in _joined(_cut_off_due(live), index.names):
            yield from split(chunk, chunk_rows)


def _numbered(recordings: Sequence[Recording]) -> dict[str, IdRanges]:
    """Symbol -> the ids of its single trades in all recordings."""
    found: dict[str, IdRanges] = {}
    for recording in recordings:
        for symbol, ids in recording.survey.numbered.items():
            found[symbol] = found[symbol].union(ids) if symbol in found else ids
    return found


class _Head:
    """The next chunk of one recording, its symbols renumbered to the merged names."""

    def __init__(self, recording: Recording, index: SymbolIndex) -> None:
        self._chunks = iter(recording)
        self._index = index
        self._symbols: tuple[str, ...] = ()
        self._renumber: SmallIntegers = np.empty(0, np.int32)
        self._same_numbers = True
        self._is_tick = True
        self._records: Records = np.empty(0, TICK_INPUT)
        self._time: Integers = np.empty(0, np.int64)

    def fill(self) -> bool:
        """Fetch the next chunk if none is left of the last; False at the recording's end."""
        while not len(self._records):
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            if chunk.symbols is not self._symbols:
                self._symbols = chunk.symbols
                self._renumber = np.array([self._index.index(name) for name in chunk.symbols], np.int32)
                self._same_numbers = bool((self._renumber == np.arange(len(self._renumber))).all())
            records = chunk.records
            if not self._same_numbers:
                records = copied(records)  # the chunk's own memory must not change
                records["symbol"] = self._renumber[records["symbol"]]
            self._is_tick = isinstance(chunk, TickChunk)
            self._records = records
            self._time = np.ascontiguousarray(records["recv_ns"])
        return True

    @property
    def last_ns(self) -> int:
        return int(self._time[-1])

    def cut_off(self, until_ns: int, inclusive: bool) -> tuple[bool, Records, Integers]:
        """Cut off the rows before `until_ns`, or up to it. Gives whether they are ticks, the rows and their times."""
        count = int(np.searchsorted(self._time, until_ns, side="right" if inclusive else "left"))
        part = self._is_tick, self._records[:count], self._time[:count]
        self._records, self._time = self._records[count:], self._time[count:]
        return part


_Part = tuple[bool, Records, Integers]


def _cut_off_due(live: list[_Head]) -> list[_Part]:
    """Cut off all rows that no row still to come can precede.

    The chunk that ends first sets the limit. Recordings before it in the order give their rows of that time as well.
    Recordings after it keep theirs, as its next chunk may have more rows of that time. So at least one chunk is used
    up.
    """
    first = min(range(len(live)), key=lambda i: (live[i].last_ns, i))
    until_ns = live[first].last_ns
    return [head.cut_off(until_ns, inclusive=i <= first) for i, head in enumerate(live)]


def _joined(parts: list[_Part], symbols: tuple[str, ...]) -> Iterator[Chunk]:
    """The parts, which are in the order of their recordings, as chunks in time order."""
    parts = [part for part in parts if len(part[1])]
    if len(parts) == 1:
        yield _chunk(parts[0][0], symbols, parts[0][1])
        return
    time = np.concatenate([times for _, _, times in parts])
    order = np.argsort(time, kind="stable")
    is_tick = np.concatenate([np.full(len(rows), tick) for tick, rows, _ in parts])
    # The kind of each row in time order; the rows of each kind, sorted in the same way, are taken in turn.
    sorted_kind = is_tick[order]
    rows_of = {kind: _sorted([(rows, times) for tick, rows, times in parts if tick is kind]) for kind in (True, False)}
    edges = [0, *(np.flatnonzero(sorted_kind[1:] != sorted_kind[:-1]) + 1).tolist(), len(sorted_kind)]
    used = {True: 0, False: 0}
    for start, stop in pairwise(edges):
        kind = bool(sorted_kind[start])
        begin = used[kind]
        used[kind] += stop - start
        yield _chunk(kind, symbols, rows_of[kind][begin : used[kind]])


def _sorted(parts: list[tuple[Records, Integers]]) -> Records:
    if not parts:
        return np.empty(0, TICK_INPUT)
    if len(parts) == 1:
        return parts[0][0]
    rows = joined([rows for rows, _ in parts])
    time = np.concatenate([times for _, times in parts])
    return pick(rows, np.argsort(time, kind="stable"))


def _chunk(is_tick: bool, symbols: tuple[str, ...], records: Records) -> Chunk:
    return TickChunk(symbols, records) if is_tick else KlineChunk(symbols, records)
