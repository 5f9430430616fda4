"""Parquet klines: replay time, order over mixed intervals, refused candles, and unknown intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickflag.common.recordings.interval import grid_offset_seconds, recorded_interval_s
from tickflag.services.feed.recordings import KLINE_INPUT, KlineChunk, RecordingError, RowFault, open_recording
from tickflag.services.feed.recordings import parquet as parquet_module

NAN = float("nan")
HOUR_MS = 3_600_000
T0_MS = 472_222 * HOUR_MS  # a full hour in 2023
NUMBERS = ("open", "high", "low", "close", "volume")
TYPES = {"open_time_ms": pa.int64(), "symbol": pa.string(), "interval": pa.string()}
TYPES |= {name: pa.float64() for name in NUMBERS}

Row = Mapping[str, Any]


def write(path: Path, rows: Sequence[Row], types: Mapping[str, Any] = TYPES, **options: Any) -> Path:
    """Write candles as a kline file; a value that a row leaves out has a sound default."""
    sound = {"symbol": "BTCUSDT", "interval": "1m"} | dict(zip(NUMBERS, (2.0, 4.0, 1.0, 3.0, 10.0), strict=True))
    filled = [{"open_time_ms": T0_MS + 60_000 * i} | sound | dict(row) for i, row in enumerate(rows)]
    columns = {name: pa.array([row.get(name) for row in filled], kind) for name, kind in types.items()}
    pq.write_table(pa.table(columns), path, **options)
    return path


def read(path: Path, **options: Any) -> tuple[list[dict[str, Any]], list[RowFault], Any]:
    """Read a kline file: its candles with names for symbols, its reported faults, and the recording."""
    faults: list[RowFault] = []
    recording = open_recording(path, faults.append, **options)
    rows: list[dict[str, Any]] = []
    for chunk in recording:
        assert isinstance(chunk, KlineChunk)
        assert chunk.klines.dtype == KLINE_INPUT
        for kline in chunk.klines:
            values = {name: kline[name].item() for name in KLINE_INPUT.names or ()}
            rows.append(values | {"symbol": chunk.symbols[kline["symbol"]]})
    return rows, faults, recording


def test_what_is_too_old_is_not_read(tmp_path: Path) -> None:
    """Row groups whose candles were all known before the wanted time are left out. The longest interval of the file
    counts, as any row may have it."""
    rows = [{"interval": "1h"} if i == 4 else {} for i in range(80)]
    path = write(tmp_path / "k", rows, row_group_size=2)
    whole, _, recording = read(path)
    known = [row["recv_ns"] for row in whole]
    for since_ns in (known[5], known[70], known[-1]):
        recording.since_ns = since_ns
        found = [time for chunk in recording for time in chunk.klines["recv_ns"].tolist()]
        assert [time for time in found if time >= since_ns] == [time for time in known if time >= since_ns]
    assert len(found) < len(known)


def test_candle_is_known_when_it_closes(tmp_path: Path) -> None:
    """A candle is closed, and its replay time is open + interval; a file without counts of trades gives 0."""
    rows, faults, recording = read(write(tmp_path / "k", [{"interval": "1h"}]))
    open_ns = T0_MS * 1_000_000
    assert rows == [
        {
            "open_ns": open_ns,
            "recv_ns": open_ns + HOUR_MS * 1_000_000,
            "event_ns": open_ns + HOUR_MS * 1_000_000,
            "until_ns": open_ns + HOUR_MS * 1_000_000,
            "symbol": "BTCUSDT",
            "interval_s": 3600,
            **dict(zip(NUMBERS, (2.0, 4.0, 1.0, 3.0, 10.0), strict=True)),
            "trades": 0,
            "closed": 1,
            "last_id": 0,
        }
    ]
    assert not faults
    assert recording.kline_intervals_s == {3600}
    assert (recording.start_ns, recording.end_ns) == (rows[0]["recv_ns"], rows[0]["recv_ns"])
    assert (recording.rows, recording.symbols()) == (1, ("BTCUSDT",))


def test_trades_where_the_file_has_them(tmp_path: Path) -> None:
    """A column of trade counts is optional; null is 0, and a negative count refuses the candle."""
    path = write(tmp_path / "k", [{"trades": 7}, {"trades": None}, {"trades": -1}], TYPES | {"trades": pa.int32()})
    rows, faults, _ = read(path)
    assert [r["trades"] for r in rows] == [7, 0]
    assert [(f.row, f.column) for f in faults] == [(2, "trades")]


@pytest.mark.parametrize(
    ("bad", "column", "reason"),
    [
        ({"open": NAN}, "open", "NaN"),
        ({"open": None}, "open", "missing"),
        ({"high": float("inf")}, "high", "positive finite"),
        ({"low": 0.0}, "low", "positive finite"),
        ({"close": -1.0}, "close", "positive finite"),
        ({"volume": -1.0}, "volume", "0 or more"),
        ({"volume": None}, "volume", "missing"),
        ({"high": 1.0, "low": 2.0}, "high", "below the low"),
        ({"symbol": ""}, "symbol", "empty"),
        ({"symbol": None}, "symbol", "missing"),
        ({"interval": None}, "interval", "missing"),
        ({"open_time_ms": None}, "open_time_ms", "missing"),
        ({"open_time_ms": -60_000}, "open_time_ms", "milliseconds since 1970"),
        ({"open_time_ms": 2**62}, "open_time_ms", "milliseconds since 1970"),
        ({"open_time_ms": T0_MS + 60_001}, "open_time_ms", "multiple of the interval"),
        ({"open_time_ms": T0_MS - 60_000}, "open_time_ms", "before"),
    ],
)
def test_faulty_candle_is_refused_alone(tmp_path: Path, bad: Row, column: str, reason: str) -> None:
    """A faulty candle is refused, counted and reported with file, row and column; its neighbours come through."""
    path = write(tmp_path / "k", [{}, bad, {}])
    rows, faults, recording = read(path)
    assert [r["open_ns"] for r in rows] == [T0_MS * 1_000_000, (T0_MS + 120_000) * 1_000_000]
    assert recording.rejected == 1
    (fault,) = faults
    assert (fault.path, fault.row, fault.column) == (str(path), 1, column)
    assert reason in fault.reason


def test_no_volume_is_no_fault(tmp_path: Path) -> None:
    """A candle of volume 0 is sound."""
    rows, faults, _ = read(write(tmp_path / "k", [{"volume": 0.0}]))
    assert len(rows) == 1
    assert not faults


@pytest.mark.parametrize("name", ["", "1M", "0m", "m", "5", "1min", "-1m", "1.5h", "99999w", " 1m"])
def test_unknown_interval_is_a_file_error(tmp_path: Path, name: str) -> None:
    """An interval of unknown length makes the file unusable; the error has its first row."""
    path = write(tmp_path / "k", [{}, {"interval": name}, {"interval": name}])
    with pytest.raises(RecordingError, match="unknown interval") as caught:
        open_recording(path)
    assert (caught.value.row, caught.value.column) == (1, "interval")


@pytest.mark.parametrize(
    ("name", "seconds"), [("1s", 1), ("5m", 300), ("12h", 43_200), ("1d", 86_400), ("3d", 259_200), ("1w", 604_800)]
)
def test_interval_names(name: str, seconds: int) -> None:
    """An interval's name is a count and a unit."""
    assert recorded_interval_s(name) == seconds


def test_weeks_open_on_monday(tmp_path: Path) -> None:
    """Weekly candles open on Monday, although the epoch was a Thursday; candles of a day or less open on multiples."""
    monday_ms = 1_704_067_200_000  # 2024-01-01
    assert grid_offset_seconds(86_400) == 0
    rows, faults, _ = read(
        write(
            tmp_path / "k",
            [{"open_time_ms": monday_ms, "interval": "1w"}, {"open_time_ms": monday_ms + 86_400_000, "interval": "1w"}],
        )
    )
    assert [r["open_ns"] for r in rows] == [monday_ms * 1_000_000]
    assert [f.row for f in faults] == [1]


def test_mixed_intervals_come_in_order_of_closing(tmp_path: Path) -> None:
    """An hour that opened first closes last; candles that close together keep the file's order."""
    hour: list[Row] = [{"open_time_ms": T0_MS, "interval": "1h"}]
    minutes: list[Row] = [{"open_time_ms": T0_MS + 60_000 * i} for i in range(60)]
    rows, faults, _ = read(write(tmp_path / "k", hour + minutes))
    assert not faults
    assert [r["interval_s"] for r in rows] == [60] * 59 + [3600, 60]


@given(
    opens=st.lists(st.tuples(st.integers(1, 400), st.sampled_from(["1m", "5m", "1h"])), max_size=40),
    batch_rows=st.integers(1, 7),
)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mix_of_intervals_is_a_stable_sort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: list[tuple[int, str]], batch_rows: int
) -> None:
    """Whatever the intervals and batches, candles come in stable order of the time at which they close, and none is
    lost."""
    monkeypatch.setattr(parquet_module, "_BATCH_ROWS", batch_rows)
    lengths = {"1m": 1, "5m": 5, "1h": 60}
    candles = sorted((minute // lengths[name] * lengths[name], name) for minute, name in opens)
    candles = [(minute, name) for minute, name in candles if minute > 0]
    # The volume tells candles apart.
    rows = [
        {"open_time_ms": T0_MS + minute * 60_000, "interval": name, "volume": float(i)}
        for i, (minute, name) in enumerate(candles)
    ]
    got, faults, _ = read(write(tmp_path / "k", rows))
    assert not faults
    order = sorted(range(len(candles)), key=lambda i: candles[i][0] + lengths[candles[i][1]])
    assert [r["volume"] for r in got] == [float(i) for i in order]
    assert all(r["recv_ns"] == r["open_ns"] + r["interval_s"] * 1_000_000_000 for r in got)


@pytest.mark.parametrize("column", [name for name in TYPES if name != "open_time_ms"])
def test_missing_column(tmp_path: Path, column: str) -> None:
    """The error names the missing column."""
    path = write(tmp_path / "k", [{}], {name: kind for name, kind in TYPES.items() if name != column})
    with pytest.raises(RecordingError, match="missing") as caught:
        open_recording(path)
    assert caught.value.column == column
