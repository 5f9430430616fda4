"""MomentReader: whole moments, in one order, however the batches are cut."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickflag.services.feed.market.updates import KLINE, TICK, Batch
from tickflag.services.feed.recordings import RecordingError
from tickflag.services.feed.recordings.moments import MomentReader

Row = tuple[int, str, int]
"""Replay time, `tick` or `kline`, and its trade id or interval."""

_rows = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["tick", "kline"]), st.integers(0, 3)), max_size=30)


def _batch(rows: Sequence[tuple[int, Row]]) -> Batch:
    """Rows of one kind; each has its number in a field that nothing here looks at."""
    kind = rows[0][1][1]
    made = np.zeros(len(rows), TICK if kind == "tick" else KLINE)
    for record, (number, (at_ns, _, value)) in zip(made, rows, strict=True):
        record["recv_ns"], record["slot"] = at_ns, number
        record["trade_id" if kind == "tick" else "interval_s"] = value
    return Batch(made)


def _batches(rows: Sequence[Row], cuts: set[int]) -> Iterator[Batch]:
    """The rows in their order, as batches that end at each cut and where the kind changes."""
    run: list[tuple[int, Row]] = []
    for number, row in enumerate(rows):
        if run and (number in cuts or run[0][1][1] != row[1]):
            yield _batch(run)
            run = []
        run.append((number, row))
    if run:
        yield _batch(run)


def _numbers(batches: Sequence[Batch]) -> list[int]:
    return [int(number) for batch in batches for number in batch.rows["slot"]]


def _place(row: Row) -> tuple[int, int, int]:
    at_ns, kind, value = row
    return (at_ns, 0, -value) if kind == "kline" else (at_ns, 1, value)


@settings(deadline=None, max_examples=300)
@given(rows=_rows, cuts=st.sets(st.integers(0, 30)), until=st.lists(st.integers(1, 6), max_size=4), data=st.data())
def test_rows_come_in_one_order_whatever_the_cut(rows: list[Row], cuts: set[int], until: list[int], data: Any) -> None:
    """Up to any times: all rows before, sorted as a stable sort of all rows would."""
    rows = sorted(rows, key=lambda row: row[0])
    wanted = sorted(range(len(rows)), key=lambda number: _place(rows[number]))
    reader = MomentReader(_batches(rows, cuts))
    found: list[int] = []
    for until_ns in sorted(until):
        assert reader.next_ns == (rows[wanted[len(found)]][0] if len(found) < len(rows) else None)
        found += _numbers(reader.before(until_ns))
        assert found == [number for number in wanted if rows[number][0] < until_ns]
    while reader.next_ns is not None:
        part = _numbers(reader.next_rows(100))
        assert part
        found += part
        assert reader.next_ns not in {rows[number][0] for number in part}
    assert found == wanted
    assert reader.before(100) == reader.next_rows(100) == []


def test_rows_before_the_beginning_are_left_out() -> None:
    rows = [(at_ns, "tick", 0) for at_ns in (1, 2, 2, 3, 4)]
    assert _numbers(MomentReader(_batches(rows, {2}), 3).before(9)) == [3, 4]


def test_damage_is_told_once_the_rows_before_are_used() -> None:
    """They are given first, also where the damage follows in the same moment."""

    def batches() -> Iterator[Batch]:
        yield _batch([(0, (1, "tick", 0))])
        raise RecordingError("a.parquet", "is damaged")

    reader = MomentReader(batches())
    assert _numbers(reader.before(2)) == [0]
    with pytest.raises(RecordingError, match="is damaged"):
        _ = reader.next_ns
