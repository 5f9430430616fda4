"""Parquet ticks: what each row becomes, which rows are refused, and what makes a whole file unreadable."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickflag.services.feed.recordings import TICK_INPUT, RecordingError, RowFault, TickChunk, open_recording
from tickflag.services.feed.recordings import parquet as parquet_module

NAN = float("nan")
T0 = 1_700_000_000_000_000_000
TYPES = {"ts_ns": pa.int64(), "symbol": pa.string()} | {name: pa.float64() for name in ("price", "qty", "bid", "ask")}

Row = Mapping[str, Any]


def write(path: Path, rows: Sequence[Row], types: Mapping[str, Any] = TYPES, **options: Any) -> Path:
    """Write rows as a tick file; a missing key is null, except time and symbol, which have defaults."""
    filled = [{"ts_ns": T0 + i, "symbol": "BTCUSDT"} | dict(row) for i, row in enumerate(rows)]
    columns = {name: pa.array([row.get(name) for row in filled], kind) for name, kind in types.items()}
    pq.write_table(pa.table(columns), path, **options)
    return path


def read(path: Path, **options: Any) -> tuple[list[dict[str, Any]], list[RowFault], Any]:
    """Read a tick file: its rows with names for symbols, its reported faults, and the recording."""
    faults: list[RowFault] = []
    recording = open_recording(path, faults.append, **options)
    rows: list[dict[str, Any]] = []
    for chunk in recording:
        assert isinstance(chunk, TickChunk)
        assert chunk.ticks.dtype == TICK_INPUT
        for tick in chunk.ticks:
            values = {name: tick[name].item() for name in TICK_INPUT.names or ()}
            rows.append(values | {"symbol": chunk.symbols[tick["symbol"]]})
    return rows, faults, recording


def test_trade_and_quote_rows(tmp_path: Path) -> None:
    """A trade row states price and qty, a quote row its sides; everything else is NaN, and the times are the row's."""
    path = write(
        tmp_path / "t", [{"price": 2.0, "qty": 3.0}, {"bid": 1.0, "symbol": "ETHUSDT"}, {"bid": 1.0, "ask": 4.0}]
    )
    rows, faults, recording = read(path)
    assert [(r["symbol"], r["event_ns"], r["recv_ns"]) for r in rows] == [
        ("BTCUSDT", T0, T0),
        ("ETHUSDT", T0 + 1, T0 + 1),
        ("BTCUSDT", T0 + 2, T0 + 2),
    ]
    stated = [{k: v for k, v in r.items() if isinstance(v, float) and v == v} for r in rows]
    assert stated == [{"price": 2.0, "qty": 3.0}, {"bid": 1.0}, {"bid": 1.0, "ask": 4.0}]
    assert not faults
    assert (recording.rows, recording.rejected, dict(recording.skipped)) == (3, 0, {})
    assert recording.symbols() == ("BTCUSDT", "ETHUSDT")
    assert recording.kline_intervals_s == frozenset()
    assert (recording.start_ns, recording.end_ns) == (T0, T0 + 2)


def test_zero_quote_is_no_quote(tmp_path: Path) -> None:
    """A bid or ask of 0 is absent and no fault, and its other side stays; a row left without a value is skipped."""
    rows, faults, recording = read(
        write(tmp_path / "t", [{"bid": 0.0, "ask": 199_999.99}, {"bid": 0.0}, {}, {"ask": -0.0}])
    )
    assert len(rows) == 1
    assert np.isnan(rows[0]["bid"])
    assert rows[0]["ask"] == 199_999.99
    assert not faults
    assert dict(recording.skipped) == {"no value": 3}
    assert recording.rejected == 0


@pytest.mark.parametrize(
    ("bad", "column", "reason"),
    [
        ({"price": NAN, "qty": 1.0}, "price", "NaN"),
        ({"price": float("inf"), "qty": 1.0}, "price", "positive finite"),
        ({"price": -1.0, "qty": 1.0}, "price", "positive finite"),
        ({"price": 0.0, "qty": 1.0}, "price", "positive finite"),
        ({"price": 1.0, "qty": -1.0}, "qty", "0 or more"),
        ({"price": 1.0, "qty": float("inf")}, "qty", "0 or more"),
        ({"qty": 1.0}, "qty", "without a price"),
        ({"bid": -1.0}, "bid", "0 or more"),
        ({"ask": -0.5}, "ask", "0 or more"),
        ({"ask": float("-inf")}, "ask", "0 or more"),
        ({"bid": NAN, "ask": 1.0}, "bid", "NaN"),
        ({"price": 1.0, "symbol": ""}, "symbol", "empty"),
        ({"price": 1.0, "symbol": None}, "symbol", "missing"),
        ({"price": 1.0, "symbol": "x" * 48}, "symbol", "48 bytes"),
        ({"price": 1.0, "symbol": "é" * 24}, "symbol", "48 bytes"),
        ({"price": 1.0, "symbol": "A\x00B"}, "symbol", "unprintable"),
        ({"price": 1.0, "ts_ns": None}, "ts_ns", "missing"),
        ({"price": 1.0, "ts_ns": 0}, "ts_ns", "nanoseconds since 1970"),
        ({"price": 1.0, "ts_ns": -5}, "ts_ns", "nanoseconds since 1970"),
        ({"price": 1.0, "ts_ns": T0 - 1}, "ts_ns", "before"),
    ],
)
def test_faulty_row_is_refused_alone(tmp_path: Path, bad: Row, column: str, reason: str) -> None:
    """A faulty row is refused, counted and reported with file, row and column; its neighbours come through."""
    path = write(tmp_path / "t", [{"price": 1.0}, bad, {"price": 3.0}])
    rows, faults, recording = read(path)
    assert [r["price"] for r in rows] == [1.0, 3.0]
    assert recording.rejected == 1
    (fault,) = faults
    assert (fault.path, fault.row, fault.column) == (str(path), 1, column)
    assert reason in fault.reason
    assert str(fault).startswith(f"{path}, row 1, column {column}: ")


def test_longest_symbol_fits(tmp_path: Path) -> None:
    """A name of exactly 47 bytes is accepted."""
    rows, faults, _ = read(write(tmp_path / "t", [{"price": 1.0, "symbol": "é" * 23 + "x"}]))
    assert rows[0]["symbol"] == "é" * 23 + "x"
    assert not faults


def test_time_order_across_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late rows are found across the edges of batches; a refused row's time makes no later row look late."""
    monkeypatch.setattr(parquet_module, "_BATCH_ROWS", 2)
    times = [10, 20, 15, 20, 99, 30, 29]
    rows = [{"ts_ns": T0 + t, "price": -1.0 if t == 99 else 1.0} for t in times]
    got, faults, recording = read(write(tmp_path / "t", rows))
    assert [r["recv_ns"] - T0 for r in got] == [10, 20, 20, 30]
    assert [(f.row, f.column) for f in faults] == [(2, "ts_ns"), (4, "price"), (6, "ts_ns")]
    assert recording.rejected == 3


def test_first_twenty_faults_are_reported(tmp_path: Path) -> None:
    """All faults are counted, the first 20 reported; reading again counts and reports from the start."""
    path = write(tmp_path / "t", [{"price": -1.0}] * 50 + [{"price": 1.0}])
    faults: list[RowFault] = []
    recording = open_recording(path, faults.append)
    for _ in range(2):
        assert sum(map(len, recording)) == 1
        assert recording.rejected == 50
        assert [f.row for f in faults] == list(range(20))
        faults.clear()


def test_chunk_rows_bounds_chunks(tmp_path: Path) -> None:
    """No chunk is longer than asked for; a size below 1 is a caller's mistake."""
    path = write(tmp_path / "t", [{"price": 1.0}] * 10)
    assert [len(chunk) for chunk in open_recording(path, chunk_rows=4)] == [4, 4, 2]
    with pytest.raises(ValueError, match="chunk_rows"):
        open_recording(path, chunk_rows=0)


def test_other_column_types(tmp_path: Path) -> None:
    """Dictionary and large texts, whole and decimal numbers, an all-null column and optional sizes are understood."""
    types = {
        "ts_ns": pa.uint64(),
        "symbol": pa.dictionary(pa.int8(), pa.large_string()),
        "price": pa.int32(),
        "qty": pa.float32(),
        "bid": pa.decimal128(25, 2),
        "ask": pa.null(),
        "bid_size": pa.float64(),
        "extra": pa.string(),
    }
    path = tmp_path / "t"
    columns = {"ts_ns": [T0], "symbol": ["A"], "price": [3], "qty": [0.5], "bid": [2], "ask": [None], "bid_size": [7.0]}
    columns["extra"] = ["x"]
    pq.write_table(pa.table({name: pa.array(columns[name]).cast(kind) for name, kind in types.items()}), path)
    rows, faults, _ = read(path)
    assert not faults
    assert {k: v for k, v in rows[0].items() if v == v} == {
        "event_ns": T0,
        "recv_ns": T0,
        "trade_id": 0,
        "symbol": "A",
        "_pad": 0,
        "price": 3.0,
        "qty": 0.5,
        "bid": 2.0,
        "bid_size": 7.0,
    }


def test_symbols_keep_their_index_across_row_groups(tmp_path: Path) -> None:
    """Row groups may have dictionaries of their own; a name has one index in the recording, and new names are added at
    the end."""
    names = ["B", "A", "C", "A", "D", "B"]
    path = write(tmp_path / "t", [{"price": float(i + 1), "symbol": n} for i, n in enumerate(names)], row_group_size=2)
    rows, _, recording = read(path)
    assert [r["symbol"] for r in rows] == names
    assert set(recording.symbols()) == set(names)
    tables = [chunk.symbols for chunk in recording]
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(tables))


def test_what_is_too_old_is_not_read(tmp_path: Path) -> None:
    """Row groups that end before the wanted time are left out, with the faults in them; row groups without statistics
    are read. Row numbers are those of the file."""
    rows = [{"price": float(i + 1)} for i in range(8)]
    rows[0]["price"] = rows[5]["price"] = -1.0
    for told in (True, False):
        path = write(tmp_path / "t", rows, row_group_size=2, write_statistics=told)
        whole, faults, recording = read(path)
        assert [fault.row for fault in faults] == [0, 5]
        faults.clear()
        recording.since_ns = whole[3]["recv_ns"]  # the fourth sound row, in the third group
        prices = [price for chunk in recording for price in chunk.ticks["price"].tolist()]
        assert prices == ([5.0, 7.0, 8.0] if told else [2.0, 3.0, 4.0, 5.0, 7.0, 8.0])
        assert [fault.row for fault in faults] == ([5] if told else [0, 5])
        assert recording.rejected == (1 if told else 2)
        recording.since_ns = whole[-1]["recv_ns"] + 1
        assert sum(map(len, recording)) == (0 if told else 6)


@pytest.mark.parametrize("column", list(TYPES))
def test_missing_column(tmp_path: Path, column: str) -> None:
    """The error names the missing column and those there are."""
    path = write(tmp_path / "t", [{}], {name: kind for name, kind in TYPES.items() if name != column})
    with pytest.raises(RecordingError) as caught:
        open_recording(path)
    assert caught.value.path == str(path)
    # Without its time column the file does not look like ticks.
    assert caught.value.column == (None if column == "ts_ns" else column)


@pytest.mark.parametrize(
    ("column", "kind", "value", "words"),
    [
        ("ts_ns", pa.float64(), 1.0, "whole numbers"),
        ("symbol", pa.int64(), 1, "text"),
        ("symbol", pa.binary(), b"A", "text"),
        ("price", pa.string(), "1", "numbers"),
        ("bid", pa.bool_(), True, "numbers"),
    ],
)
def test_wrong_column_type(tmp_path: Path, column: str, kind: Any, value: object, words: str) -> None:
    """The error has the column, its type, and the type that it must have."""
    path = write(tmp_path / "t", [{column: value}], TYPES | {column: kind})
    with pytest.raises(RecordingError, match=words) as caught:
        open_recording(path)
    assert caught.value.column == column
    assert str(kind) in caught.value.reason


def test_column_given_twice(tmp_path: Path) -> None:
    """Two columns of one name leave open which one is meant."""
    path = tmp_path / "t"
    names = [*TYPES, "price"]
    pq.write_table(pa.Table.from_arrays([pa.array([], TYPES[name]) for name in names], names=names), path)
    with pytest.raises(RecordingError, match="2 times"):
        open_recording(path)


def test_empty_file_gives_nothing(tmp_path: Path) -> None:
    """A file without rows is a recording that delivers nothing and spans no time."""
    rows, _, recording = read(write(tmp_path / "t", []))
    assert rows == []
    assert (recording.rows, recording.start_ns, recording.end_ns, recording.symbols()) == (0, None, None, ())


def test_symbol_that_is_not_utf8(tmp_path: Path) -> None:
    """Rows whose name is not UTF-8 are refused, and no others."""
    path = write(
        tmp_path / "t", [{"price": 1.0, "symbol": "GOOD"}, {"price": 1.0, "symbol": "EVIL"}], compression="none"
    )
    path.write_bytes(path.read_bytes().replace(b"EVIL", b"EV\xff\xfe"))
    rows, faults, _ = read(path)
    assert [r["symbol"] for r in rows] == ["GOOD"]
    assert [(f.row, f.reason) for f in faults] == [(1, "is not UTF-8 text")]


def test_damaged_page_names_its_row(tmp_path: Path) -> None:
    """The error names the row from which on nothing can be read; earlier rows are given."""
    rows = [{"price": float(i + 1)} for i in range(100)]
    path = write(tmp_path / "t", rows, row_group_size=50, compression="zstd", write_page_checksum=True)
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(1).column(2)
        middle = column.data_page_offset + column.total_compressed_size - 5
    data = bytearray(path.read_bytes())
    data[middle] ^= 0xFF
    path.write_bytes(data)
    recording = open_recording(path)
    given: list[int] = []
    with pytest.raises(RecordingError, match="damaged") as caught:
        given.extend(map(len, recording))
    assert caught.value.row == sum(given)
    assert sum(given) in (0, 50)


finite = st.floats(allow_nan=True, allow_infinity=True, width=64)
cell = st.none() | finite | st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, 1e308])
row = st.fixed_dictionaries(
    {
        "ts_ns": st.none() | st.integers(-2, 2) | st.integers(T0, T0 + 12),
        "symbol": st.sampled_from(["A", "B", "", None, "x" * 48]),
        "price": cell,
        "qty": cell,
        "bid": cell,
        "ask": cell,
    }
)


def expected(rows: Sequence[Row]) -> tuple[list[tuple[Any, ...]], int, int]:
    """Decide row by row, slowly and plainly: the good rows, the number refused, and the number that states nothing."""
    good: list[tuple[Any, ...]] = []
    refused = empty = 0
    floor = 0
    for r in rows:
        ts, name, price, qty, bid, ask = (r[key] for key in TYPES)
        stated = [v for v in (price, qty, bid, ask) if v is not None]
        sound = ts is not None and ts >= T0 and ts >= floor and name in ("A", "B")
        sound = sound and all(0 <= v < float("inf") for v in stated) and price != 0.0
        if not sound or (qty is not None and price is None):
            refused += 1
            continue
        floor = ts
        values = (price, qty, bid or None, ask or None)
        if all(v is None for v in (price, bid or None, ask or None)):
            empty += 1
        else:
            good.append((ts, name, *values))
    return good, refused, empty


@given(rows=st.lists(row, max_size=30), batch_rows=st.integers(1, 7), group_rows=st.integers(1, 9))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_equal_the_plain_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Row], batch_rows: int, group_rows: int
) -> None:
    """Whatever rows a file holds, in whatever batches, the result is that of a plain model."""
    monkeypatch.setattr(parquet_module, "_BATCH_ROWS", batch_rows)
    path = write(tmp_path / "t", rows, row_group_size=group_rows)
    got, _, recording = read(path)
    good, refused, empty = expected(rows)
    names = ("recv_ns", "symbol", "price", "qty", "bid", "ask")
    assert [tuple(None if r[n] != r[n] else r[n] for n in names) for r in got] == good
    assert recording.rejected == refused
    assert recording.skipped.get("no value", 0) == empty
    assert recording.rows == len(got) + refused + empty


# The same cases every time: a byte that brings pyarrow itself down would be no fault of this code.
@given(data=st.data())
@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_a_named_error(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed or cut off anywhere give rows or a RecordingError that names the file, and nothing else."""
    rows = [{"price": float(i + 1), "symbol": f"S{i % 3}"} for i in range(40)]
    path = write(tmp_path / "t", rows, row_group_size=20, compression=data.draw(st.sampled_from(["none", "zstd"])))
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)) | st.just(len(damaged)))])
    try:
        recording = open_recording(path)
        given_rows = sum(map(len, recording))
    except RecordingError as error:
        told = str(error)
    else:
        told = str(path)
        assert given_rows + recording.rejected + sum(recording.skipped.values()) == recording.rows
    assert told.startswith(str(path))
