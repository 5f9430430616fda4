"""A frame becomes a recording that reads back as it was."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from common.client import save_recording
from common.errors import TickflagError
from common.recordings import casting
from services.feed.recordings import KlineChunk, TickChunk, open_recording

NS = 1_000_000_000
NOON = 1_700_049_600 * NS
TRADES = {
    "time": [NOON + 2 * NS, NOON, NOON + NS],
    "symbol": ["B", "A", "A"],
    "price": [3.0, 1.0, 2.0],
    "qty": [30.0, 10.0, 20.0],
}


def _ticks(path: Path) -> list[tuple[Any, ...]]:
    recording = open_recording(path)
    rows = []
    for chunk in recording:
        assert isinstance(chunk, TickChunk)
        rows += [
            (row["event_ns"].item(), chunk.symbols[row["symbol"]], row["price"].item(), row["qty"].item())
            for row in chunk.ticks
        ]
    assert recording.rejected == 0
    return rows


SORTED = [(NOON, "A", 1.0, 10.0), (NOON + NS, "A", 2.0, 20.0), (NOON + 2 * NS, "B", 3.0, 30.0)]


@pytest.mark.parametrize("make", ["dict", "pandas", "categories", "polars", "arrow", "chunks"])
def test_frames_of_every_kind(tmp_path: Path, make: str) -> None:
    """The rows come back in order of time, whoever made the frame."""
    frame: Any = TRADES
    if make == "pandas":
        frame = pd.DataFrame(TRADES).set_index("time")
    elif make == "categories":
        frame = pd.DataFrame(TRADES).astype({"symbol": "category"})
    elif make == "polars":
        polars = pytest.importorskip("polars", reason="polars is not installed")
        frame = polars.DataFrame(TRADES)
    elif make == "arrow":
        frame = pa.table(TRADES)
    elif make == "chunks":
        frame = pa.concat_tables([pa.table(TRADES).slice(0, 1), pa.table(TRADES).slice(1)])
    path = tmp_path / "ticks.parquet"
    assert save_recording(frame, path) == 3
    assert _ticks(path) == SORTED


def test_candles_with_an_index_of_times(tmp_path: Path) -> None:
    """A frame of one symbol, as a notebook has it: symbol and interval are said beside."""
    times = pd.date_range("2023-11-15 12:00", periods=3, freq="5min", tz="UTC", name="date")
    frame = pd.DataFrame({"Open": 1.0, "High": 3.0, "Low": 0.5, "Close": 2.0, "Volume": [1, 2, 3]}, index=times)
    path = tmp_path / "klines.parquet"
    assert save_recording(frame, path, symbol="BTC", interval="5m") == 3
    (chunk,) = [chunk for chunk in open_recording(path) if len(chunk)]
    assert isinstance(chunk, KlineChunk)
    assert chunk.symbols == ("BTC",)
    assert chunk.klines["open_ns"].tolist() == [NOON + minute * 60 * NS for minute in (0, 5, 10)]
    assert chunk.klines["interval_s"].tolist() == [300] * 3
    assert chunk.klines["volume"].tolist() == [1.0, 2.0, 3.0]
    assert chunk.klines["trades"].tolist() == [0, 0, 0]


def test_candles_with_trades_and_intervals(tmp_path: Path) -> None:
    """Counts of trades are kept, and intervals may differ from row to row."""
    frame = {
        "time": ["2023-11-15 12:00", "2023-11-15 12:00"], "symbol": ["A", "A"], "interval": ["1m", "1h"],
        "open": ["1", "1"], "high": ["2", "2"], "low": ["1", "1"], "close": ["2", "2"], "volume": ["0", "7"],
        "trades": ["", "4"],
    }  # fmt: skip
    path = tmp_path / "klines.parquet"
    save_recording(frame, path)
    rows = [row for chunk in open_recording(path) for row in chunk.records]
    assert [(row["interval_s"].item(), row["trades"].item()) for row in rows] == [(60, 0), (3600, 4)]


def test_a_long_frame_is_sorted_as_a_whole(tmp_path: Path) -> None:
    """Over all the batches it is worked through in; equal times keep their order."""
    n = 300_000
    times = NOON + np.arange(n)[::-1] // 2
    frame = {"time": times, "symbol": ["A", "B"] * (n // 2),
             "price": np.arange(1, n + 1, dtype=float)}  # fmt: skip
    path = tmp_path / "ticks.parquet"
    assert save_recording(frame, path) == n
    prices = np.concatenate([chunk.records["price"] for chunk in open_recording(path)])
    expected = np.arange(1, n + 1, dtype=float)[np.argsort(times, kind="stable")]
    np.testing.assert_array_equal(prices, expected)


def test_quotes_and_gaps(tmp_path: Path) -> None:
    """What is not there stays away; a bid of 0 is none, and a row that states nothing is left out."""
    frame = pd.DataFrame(
        {"time": [NOON, NOON, NOON], "symbol": "A", "bid": [1.0, np.nan, 0.0], "ask": [None, 2.0, None]}
    )
    path = tmp_path / "quotes.parquet"
    assert save_recording(frame, path) == 2
    rows = [row for chunk in open_recording(path) for row in chunk.records]
    assert [(row["bid"].item(), row["ask"].item()) for row in rows] == [
        (1.0, pytest.approx(float("nan"), nan_ok=True)),
        (pytest.approx(float("nan"), nan_ok=True), 2.0),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"price": [1.0, -2.0, 3.0]},
            "1 rows cannot be used, nothing is written; the first: frame, row 1, column price",
        ),
        ({"price": ["1", "x", "3"]}, "row 1, column price: 'x' is not a number"),
        ({"symbol": ["A", None, " "]}, "2 rows cannot be used.*row 1, column symbol: is missing"),
        ({"symbol": ["A", "B" * 48, "C"]}, "row 1, column symbol: has 48 bytes"),
        ({"time": ["2023-11-15", "once", ""]}, "2 rows .*row 1, column time: 'once' is no time"),
        ({"time": [NOON, -NOON, NOON]}, "row 1, column time: -17000496.* is not a time since 1970"),
        ({"price": [[1.0], [2.0], [3.0]]}, "3 rows .*column price: .* is not a number"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """The first is named by row and column, and nothing is written."""
    with pytest.raises(TickflagError, match=message):
        save_recording(TRADES | changes, tmp_path / "ticks.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interval": ["1m", "1M"]}, "row 1, column interval: is the unknown interval '1M'"),
        ({"interval": ["1m", None]}, "row 1, column interval: is missing"),
        ({"time": [NOON, NOON + NS]}, "row 1, column time: .* is not a multiple of the interval"),
        ({"trades": [1, -1]}, "row 1, column trades: -1.0 is not a count"),
        ({"close": [1.0, None]}, "row 1, column close: is missing"),
    ],
)
def test_candles_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """The same for candles."""
    frame: dict[str, Any] = {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    frame |= {"time": [NOON, NOON], "symbol": ["A", "B"], "interval": ["1m", "1m"]}
    with pytest.raises(TickflagError, match=message):
        save_recording(frame | changes, tmp_path / "klines.parquet")


def test_constants_are_checked(tmp_path: Path) -> None:
    """A symbol or interval that cannot be one is named before anything is read."""
    with pytest.raises(TickflagError, match="has 60 bytes"):
        save_recording({"time": [NOON], "price": [1.0]}, tmp_path / "x.parquet", symbol="x" * 60)
    with pytest.raises(TickflagError, match="unknown interval '1M'"):
        save_recording({"time": [NOON], "price": [1.0]}, tmp_path / "x.parquet", symbol="x", interval="1M")


def test_files_that_are_there(tmp_path: Path) -> None:
    """A file is kept unless it may be overwritten; a folder must be there; a failure leaves the old file."""
    path = tmp_path / "ticks.parquet"
    save_recording(TRADES, path)
    with pytest.raises(TickflagError, match="exists: remove it, or overwrite it by `--force` or the"):
        save_recording(TRADES, path)
    with pytest.raises(TickflagError, match="not one row can be used"):
        save_recording({name: [] for name in TRADES}, path, overwrite=True)
    assert _ticks(path) == SORTED
    save_recording(TRADES | {"price": [4.0, 5.0, 6.0]}, path, overwrite=True)
    assert [row[2] for row in _ticks(path)] == [5.0, 6.0, 4.0]
    with pytest.raises(TickflagError, match="nowhere is no folder"):
        save_recording(TRADES, tmp_path / "nowhere" / "ticks.parquet")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (7, "a DataFrame of pandas or polars.* is wanted, not a int"),
        ({"time": [1, "x", object()]}, "the frame cannot be read as a table"),
        ({"time": [1], "price": [1, 2]}, "the frame cannot be read as a table"),
    ],
)
def test_what_is_no_frame(tmp_path: Path, frame: Any, message: str) -> None:
    """A mistake is told in one line."""
    with pytest.raises(TickflagError, match=message):
        save_recording(frame, tmp_path / "x.parquet")


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TickflagError, match=r"pip install 'tickflag\[data\]'"):
        casting.arrow()
