"""Merging recordings: order by replay time, the stable rule for equal times, one symbol per name, and errors in
time."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickflag.services.feed.recordings import (
    KLINE_INPUT,
    TICK_INPUT,
    Chunk,
    KlineChunk,
    Recording,
    RecordingError,
    TickChunk,
    merge,
)
from tickflag.services.feed.recordings.recording import Survey

Event = tuple[int, str, str]
"""Replay time, symbol name, and "tick" or "kline"."""


class ScriptedRecording(Recording):
    """Gives scripted rows; each has its index in the script in a field that nothing else uses."""

    def __init__(self, number: int, events: Sequence[Event], chunk_rows: int, breaks: bool = False) -> None:
        super().__init__(Path(f"scripted-{number}"), None, chunk_rows)
        self._events = events
        self._breaks = breaks
        self._number = number

    def _look_through(self) -> Survey:
        return Survey((), {}, None, None, len(self._events))

    def _read(self) -> Iterator[Chunk]:
        names: list[str] = []
        for place, (time, name, kind) in enumerate(self._events):
            if name not in names:
                names.append(name)
            records = np.zeros(1, TICK_INPUT if kind == "tick" else KLINE_INPUT)
            records["recv_ns"], records["symbol"] = time, names.index(name)
            records["event_ns" if kind == "tick" else "open_ns"] = self._number * 1_000 + place
            yield TickChunk(tuple(names), records) if kind == "tick" else KlineChunk(tuple(names), records)
        if self._breaks:
            raise RecordingError(self.name, "the script ends in an error")


class JoinedRecording(ScriptedRecording):
    """The same rows in longer chunks: neighbours of one kind come together."""

    def _read(self) -> Iterator[Chunk]:
        run: list[Chunk] = []
        for chunk in super()._read():
            if run and type(run[0]) is not type(chunk):
                yield _joined(run)
                run = []
            run.append(chunk)
        if run:
            yield _joined(run)


def _joined(run: list[Chunk]) -> Chunk:
    records = np.concatenate([chunk.records for chunk in run])
    make = TickChunk if isinstance(run[0], TickChunk) else KlineChunk
    return make(run[-1].symbols, records)


def rows(chunks: Iterator[Chunk]) -> list[tuple[int, str, str, int]]:
    """The merged rows: time, name, kind, and the recording and row that each came from."""
    out: list[tuple[int, str, str, int]] = []
    for chunk in chunks:
        kind, mark = ("tick", "event_ns") if isinstance(chunk, TickChunk) else ("kline", "open_ns")
        out += [(int(r["recv_ns"]), chunk.symbols[r["symbol"]], kind, int(r[mark])) for r in chunk.records]
    return out


event = st.tuples(st.integers(1, 12), st.sampled_from(["A", "B", "C"]), st.sampled_from(["tick", "tick", "kline"]))
scripts = st.lists(st.lists(event, max_size=12).map(lambda events: sorted(events, key=lambda e: e[0])), max_size=4)


@given(
    scripts=scripts,
    sizes=st.lists(st.integers(1, 5), min_size=4, max_size=4),
    chunk_rows=st.integers(1, 6),
    make=st.sampled_from([ScriptedRecording, JoinedRecording]),
)
@settings(deadline=None, max_examples=300)
def test_any_merge_is_a_stable_sort(
    scripts: list[list[Event]], sizes: list[int], chunk_rows: int, make: Callable[..., Recording]
) -> None:
    """However recordings are chunked, their merge is the stable sort by time of all their rows, recording after
    recording."""
    recordings = [make(i, events, sizes[i]) for i, events in enumerate(scripts)]
    chunks = list(merge(recordings, chunk_rows))
    model = [(*e, i * 1_000 + place) for i, events in enumerate(scripts) for place, e in enumerate(events)]
    assert rows(iter(chunks)) == sorted(model, key=lambda row: row[0])
    assert all(0 < len(chunk) <= chunk_rows for chunk in chunks)


def test_equal_times_come_in_the_order_of_the_recordings() -> None:
    """At one time, all rows of the recording whose file name comes first, whatever the order of the arguments, over
    chunk edges too."""
    first = ScriptedRecording(0, [(5, "A", "tick")] * 3, 1)
    second = ScriptedRecording(1, [(5, "A", "kline"), (6, "A", "tick")], 1)
    assert [mark for *_, mark in rows(merge([first, second]))] == [0, 1, 2, 1_000, 1_001]
    assert [mark for *_, mark in rows(merge([second, first]))] == [0, 1, 2, 1_000, 1_001]


def test_names_are_shared_and_only_grow() -> None:
    """A name is one symbol, whichever recording has it, and keeps its index in later chunks."""
    first = ScriptedRecording(0, [(1, "A", "tick"), (3, "B", "tick")], 1)
    second = ScriptedRecording(1, [(2, "B", "tick"), (4, "C", "tick")], 1)
    chunks = list(merge([first, second], 1))
    assert chunks[-1].symbols == ("A", "B", "C")
    assert all(chunks[-1].symbols[: len(chunk.symbols)] == chunk.symbols for chunk in chunks)


def test_chunks_of_a_recording_stay_as_they_were() -> None:
    """The merge renumbers symbols in its own copy."""
    records = np.zeros(1, TICK_INPUT)
    records["recv_ns"] = 2

    class Held(ScriptedRecording):
        def _read(self) -> Iterator[Chunk]:
            yield TickChunk(("Z",), records)

    list(merge([ScriptedRecording(0, [(1, "A", "tick")], 1), Held(1, [], 1)]))
    assert records["symbol"].tolist() == [0]


def test_error_comes_in_time() -> None:
    """Rows of the other recordings from before the damage are given first; then the error comes."""
    broken = ScriptedRecording(0, [(5, "A", "tick")], 1, breaks=True)
    whole = ScriptedRecording(1, [(1, "B", "tick"), (4, "B", "tick"), (9, "B", "tick")], 1)
    merged = merge([broken, whole])
    seen: list[int] = []
    with pytest.raises(RecordingError, match="ends in an error"):
        seen.extend(time for chunk in merged for time in chunk.records["recv_ns"].tolist())
    assert seen == [1, 4, 5]


def test_nothing_to_merge() -> None:
    """No recordings, or empty ones, merge to nothing; a chunk size below 1 is a caller's mistake."""
    assert list(merge([])) == []
    assert list(merge([ScriptedRecording(0, [], 1)])) == []
    with pytest.raises(ValueError, match="chunk_rows"):
        next(merge([], 0))
