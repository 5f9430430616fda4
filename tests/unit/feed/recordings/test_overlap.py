"""Overlap: which pairs of recordings may hold the same trades without anyone being able to tell."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tickflag.services.feed.recordings import open_recording
from tickflag.services.feed.recordings.overlap import overlaps

T0 = 1_709_553_600_000_000_000
SECOND = 1_000_000_000


def _ticks(
    path: Path, first_s: int, last_s: int, symbols: str = "AB", *, ids: bool = False, trades: bool = True
) -> Path:
    times = [T0 + second * SECOND for second in range(first_s, last_s + 1) for _ in symbols]
    names = [name for _ in range(first_s, last_s + 1) for name in symbols]
    price = [1.0 if trades else None] * len(times)
    bid = [None if trades else 1.0] * len(times)
    absent = pa.nulls(len(times), pa.float64())
    columns = {"ts_ns": times, "symbol": names, "price": pa.array(price, pa.float64()), "qty": price}
    columns |= {"bid": pa.array(bid, pa.float64()), "ask": absent}
    columns["qty"] = columns["price"]
    if ids:
        columns["trade_id"] = list(range(1, len(times) + 1))
    pq.write_table(pa.table(columns), path)
    return path


def test_the_overlap_is_said(tmp_path: Path) -> None:
    """Both files, the symbols, the time that both cover, and what comes of it."""
    paths = [_ticks(tmp_path / "one", 0, 9, "ABC"), _ticks(tmp_path / "two", 6, 12, "CB")]
    [text] = overlaps([open_recording(path) for path in paths])
    assert text == (
        f"{paths[0]} and {paths[1]} both have trades of B and 1 more symbol from 2024-03-04 12:00:06 to "
        "2024-03-04 12:00:09, without a trade id: a trade that is in both counts twice"
    )


@pytest.mark.parametrize(
    "other",
    [{"first_s": 9, "last_s": 12}, {"first_s": 5, "last_s": 9, "symbols": "X"},
     {"first_s": 5, "last_s": 9, "ids": True}, {"first_s": 5, "last_s": 9, "trades": False}],
    ids=["follows", "other symbols", "ids", "quotes"],
)  # fmt: skip
def test_nothing_is_said_where_nothing_counts_twice(tmp_path: Path, other: dict[str, int]) -> None:
    """The second file follows, has other symbols or only quotes, or its trades have ids."""
    one = open_recording(_ticks(tmp_path / "one", 0, 9))
    two = open_recording(_ticks(tmp_path / "two", **other))  # type: ignore[arg-type] # ints, bools and a text
    assert overlaps([one, two]) == []
