"""A frame becomes a recording that reads back as it was."""

import errno
import os
import sys
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tickflag import save_recording
from tickflag.common.errors import TickflagError
from tickflag.common.recordings import casting
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.recordings import KlineChunk, TickChunk, open_recording

NOON = 1_700_049_600 * NS_PER_S
TRADES = {
    "time": [NOON + 2 * NS_PER_S, NOON, NOON + NS_PER_S],
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


SORTED = [(NOON, "A", 1.0, 10.0), (NOON + NS_PER_S, "A", 2.0, 20.0), (NOON + 2 * NS_PER_S, "B", 3.0, 30.0)]


@pytest.mark.parametrize("make", ["dict", "pandas", "categories", "polars", "arrow", "chunks"])
def test_frames_of_every_kind(tmp_path: Path, make: str) -> None:
    """The rows come back in the order of time, whichever library made the frame."""
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
    """A frame of one symbol, as notebooks have it: arguments give symbol and interval."""
    times = pd.date_range("2023-11-15 12:00", periods=3, freq="5min", tz="UTC", name="date")
    frame = pd.DataFrame({"Open": 1.0, "High": 3.0, "Low": 0.5, "Close": 2.0, "Volume": [1, 2, 3]}, index=times)
    path = tmp_path / "klines.parquet"
    assert save_recording(frame, path, symbol="BTC", interval="5m") == 3
    (chunk,) = [chunk for chunk in open_recording(path) if len(chunk)]
    assert isinstance(chunk, KlineChunk)
    assert chunk.symbols == ("BTC",)
    assert chunk.klines["open_ns"].tolist() == [NOON + minute * 60 * NS_PER_S for minute in (0, 5, 10)]
    assert chunk.klines["interval_s"].tolist() == [300] * 3
    assert chunk.klines["volume"].tolist() == [1.0, 2.0, 3.0]
    assert chunk.klines["trades"].tolist() == [0, 0, 0]


def test_an_index_without_a_name_is_the_time(tmp_path: Path) -> None:
    """Where no column is: as of `date_range`, and what data vendors' packages return."""
    times = pd.date_range("2024-03-04", periods=2, freq="1h", tz="UTC")
    frame = pd.DataFrame({"open": 1.0, "high": 3.0, "low": 0.5, "close": [2.0, 3.0], "volume": 4.0}, index=times)
    path = tmp_path / "k.parquet"
    assert save_recording(frame, path, symbol="A", interval="1h") == 2
    assert pq.read_table(path)["open_time_ms"].to_pylist() == [1_709_510_400_000, 1_709_514_000_000]
    with_time = frame.assign(time=times + pd.Timedelta("1h"))
    save_recording(with_time, path, symbol="A", interval="1h", overwrite=True)
    assert pq.read_table(path)["open_time_ms"].to_pylist() == [1_709_514_000_000, 1_709_517_600_000]


def test_candles_with_trades_and_intervals(tmp_path: Path) -> None:
    """Counts of trades are kept; intervals may differ from row to row."""
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
    """Sorting covers all batches; rows of equal time keep their order."""
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
    """A missing value stays missing; a bid of 0 is none; a row without any value is left out."""
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
        ({"time": [NOON, -NOON, NOON]}, "row 1, column time: -17000496.* is no time from 1990"),
        ({"price": [True, False, None]}, "3 rows .*row 0, column price: True is not a number"),
        ({"price": ["1", "2,5", "3"]}, "row 1, column price: '2,5' is not a number: say what its commas"),
        (
            {"rtype": [0] * 3, "publisher_id": [1] * 3, "price": [100_500_000_000] * 3},
            "3 rows .*row 0, column price: is in units of 1e-9",
        ),
        ({"price": [[1.0], [2.0], [3.0]]}, "3 rows .*column price: .* is not a number"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """The first such row is named by number and column, and nothing is written."""
    with pytest.raises(TickflagError, match=message):
        save_recording(TRADES | changes, tmp_path / "ticks.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interval": ["1m", "1M"]}, "row 1, column interval: is the unknown interval '1M'"),
        ({"interval": ["1m", None]}, "row 1, column interval: is missing"),
        ({"time": [NOON, NOON + NS_PER_S]}, "row 1, column time: .* is not a multiple of the interval"),
        ({"trades": [1, -1]}, "row 1, column trades: -1.0 is not a count"),
        ({"close": [1.0, None]}, "row 1, column close: is missing"),
    ],
)
def test_candles_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """The first such candle is named in the same way."""
    frame: dict[str, Any] = {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    frame |= {"time": [NOON, NOON], "symbol": ["A", "B"], "interval": ["1m", "1m"]}
    with pytest.raises(TickflagError, match=message):
        save_recording(frame | changes, tmp_path / "klines.parquet")


def test_constants_are_checked(tmp_path: Path) -> None:
    """A bad symbol or interval is named before anything is read."""
    with pytest.raises(TickflagError, match="has 60 bytes"):
        save_recording({"time": [NOON], "price": [1.0]}, tmp_path / "x.parquet", symbol="x" * 60)
    with pytest.raises(TickflagError, match="unknown interval '1M'"):
        save_recording({"time": [NOON], "price": [1.0]}, tmp_path / "x.parquet", symbol="x", interval="1M")


def test_files_that_are_there(tmp_path: Path) -> None:
    """A file is kept unless it may be overwritten; its folder must exist; a failure leaves the old file."""
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
    """The error is one line."""
    with pytest.raises(TickflagError, match=message):
        save_recording(frame, tmp_path / "x.parquet")


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TickflagError, match=r"pip install 'tickflag\[data\]'"):
        casting.arrow()


@pytest.mark.parametrize(
    ("ids", "written"),
    [
        ([3, 1, 2], [1, 2, 3]),
        ([3.0, None, 2.0], [None, 2, 3]),
        (["3", "x1", ""], [None, None, 3]),
        ([-1, 1 << 62, 0], [1 << 62, 0, None]),
    ],
)
def test_trade_ids(tmp_path: Path, ids: list[Any], written: list[Any]) -> None:
    """They are a column of whole numbers; a trade whose id is none has none."""
    path = tmp_path / "ticks.parquet"
    assert save_recording(TRADES | {"id": ids}, path) == 3
    column = pa.parquet.read_table(path)["trade_id"]
    assert (column.type, column.to_pylist()) == (pa.int64(), written)


def test_prices_of_databento_with_decimals(tmp_path: Path) -> None:
    """Where its frames hold floats, these are prices."""
    path = tmp_path / "ticks.parquet"
    assert save_recording(TRADES | {"rtype": [0] * 3, "publisher_id": [1] * 3}, path) == 3
    assert _ticks(path) == SORTED


def test_days_and_times_of_their_own_types(tmp_path: Path) -> None:
    """A date belongs to a time of day, and to nothing else; blank times before the first one say nothing."""
    path = tmp_path / "ticks.parquet"
    days = [date(2023, 11, 15)] * 3
    frame = {"symbol": ["A"] * 3, "price": [1.0, 2.0, 3.0], "date": days}
    save_recording(frame | {"time": [time(12), time(12, 0, 1), time(12, 0, 2)]}, path)
    assert [row[0] for row in _ticks(path)] == [NOON, NOON + NS_PER_S, NOON + 2 * NS_PER_S]
    save_recording(frame | {"time": [NOON, NOON + 1, NOON + 2]}, path, overwrite=True)
    assert [row[0] for row in _ticks(path)] == [NOON, NOON + 1, NOON + 2]
    with pytest.raises(TickflagError, match="row 0, column time: is missing"):
        save_recording(frame | {"time": ["", "12:00", "12:00:01"]}, path, overwrite=True)
    with pytest.raises(TickflagError, match=r"row 0, column time: .*is before 1990"):
        save_recording(frame | {"time": ["12:00"] * 3, "date": [date(1985, 1, 1)] * 3}, path, overwrite=True)


def test_old_times_and_dates_of_an_order(tmp_path: Path) -> None:
    """The arguments say which years and which order are meant."""
    path = tmp_path / "ticks.parquet"
    times = ["01/02/1985"] * 3
    save_recording(TRADES | {"time": times}, path, from_year=1980, date_order="dmy")
    expected = int(datetime(1985, 2, 1, tzinfo=UTC).timestamp()) * NS_PER_S
    assert [row[0] for row in _ticks(path)] == [expected] * 3


def test_a_file_that_cannot_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names it, and nothing is left."""

    def refuse(*_paths: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tickflag.common.recordings.writer.os.replace", refuse)
    with pytest.raises(TickflagError, match="No space left on device"):
        save_recording(pd.DataFrame(TRADES), tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []
