"""Times of Parquet recordings in any unit and type are read as what they are, or refused; never as times of 1970."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickflag.services.feed.recordings import RecordingError, RowFault, open_recording
from tickflag.services.feed.recordings import time_units as module

NOON_S = 1_700_049_600
NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
SECONDS = [NOON_S, NOON_S + 60, NOON_S + 120]


def _write(path: Path, times: Any, *, klines: bool = False, group_rows: int = 2) -> Path:
    """A file of ticks or one-minute candles with this column of times."""
    n = len(times)
    columns: dict[str, Any] = {"open_time_ms" if klines else "ts_ns": times, "symbol": ["A"] * n}
    columns |= {"interval": ["1m"] * n} if klines else {}
    names = ("open", "high", "low", "close", "volume") if klines else ("price", "qty", "bid", "ask")
    pq.write_table(pa.table(columns | {name: [1.0] * n for name in names}), path, row_group_size=group_rows)
    return path


def _read(path: Path, since_ns: int = 0) -> tuple[list[int], list[RowFault]]:
    """The times in ns, and the faults."""
    faults: list[RowFault] = []
    recording = open_recording(path, faults.append)
    recording.since_ns = since_ns
    times: list[int] = []
    for chunk in recording:
        at = "open_ns" if "open_ns" in (chunk.records.dtype.names or ()) else "event_ns"
        times += chunk.records[at].tolist()
    return times, faults


@pytest.mark.parametrize("klines", [False, True])
@pytest.mark.parametrize("unit", NS)
def test_whole_numbers_of_any_unit(tmp_path: Path, unit: str, klines: bool) -> None:
    """The numbers of the whole file tell the unit; survey and history agree with the rows."""
    path = _write(tmp_path / "t", [second * 10**9 // NS[unit] for second in SECONDS], klines=klines)
    times, faults = _read(path)
    assert times == [second * 10**9 for second in SECONDS]
    assert not faults
    lasts = 60 * 10**9 if klines else 0
    recording = open_recording(path)
    assert (recording.start_ns, recording.end_ns) == (times[0] + lasts, times[-1] + lasts)
    assert _read(path, since_ns=times[-1] + lasts)[0][-1] == times[-1]


@pytest.mark.parametrize("klines", [False, True])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("unit", NS)
def test_timestamps_of_any_unit(tmp_path: Path, unit: Any, zone: str | None, klines: bool) -> None:
    """A zone is only how they are shown; those without one are in UTC."""
    numbers = pa.array([second * 10**9 // NS[unit] for second in SECONDS])
    path = _write(tmp_path / "t", numbers.cast(pa.timestamp(unit, zone)), klines=klines)
    times, faults = _read(path, since_ns=1)
    assert times == [second * 10**9 for second in SECONDS]
    assert not faults


def test_timestamps_that_do_not_fit(tmp_path: Path) -> None:
    """A year beyond nanoseconds, and a candle within a millisecond, are refused alone; so is what is missing."""
    stamps = pa.array([NOON_S, 10**12, NOON_S, None], pa.timestamp("s"))
    times, faults = _read(_write(tmp_path / "t", stamps))
    assert (times, [fault.row for fault in faults]) == ([NOON_S * 10**9] * 2, [1, 3])
    assert faults[1].reason == "is missing"
    stamps = pa.array([NOON_S * 10**9, NOON_S * 10**9 + 1], pa.timestamp("ns"))
    times, faults = _read(_write(tmp_path / "k", stamps, klines=True))
    assert (times, [fault.row for fault in faults]) == ([NOON_S * 10**9], [1])
    assert "is not a time in milliseconds" in faults[0].reason


@pytest.mark.parametrize("klines", [False, True])
def test_a_time_of_another_unit_is_a_row_at_fault(tmp_path: Path, klines: bool) -> None:
    """Where the file keeps to the unit of its column's name, others are refused alone, as are times of 1970."""
    promised = "ms" if klines else "ns"
    good = NOON_S * 10**9 // NS[promised]
    others = [NOON_S * 10**9 // ns for unit, ns in NS.items() if unit != promised]
    rows = [others[0], good, *others, 0, 5, -good, 10**15 // NS[promised]]
    times, faults = _read(_write(tmp_path / "t", rows, klines=klines))
    assert times == [NOON_S * 10**9]
    assert [fault.row for fault in faults] == [row for row in range(len(rows)) if row != 1]


def test_units_that_are_mixed(tmp_path: Path) -> None:
    """Two units, neither of them that of the name: the error has the first row of each."""
    with pytest.raises(RecordingError, match="mixes units: row 0 looks like ms since 1970, row 3 like s") as caught:
        open_recording(_write(tmp_path / "t", [NOON_S * 1000] * 3 + [NOON_S]))
    assert (caught.value.column, caught.value.row) == ("ts_ns", 3)


_units = st.lists(st.tuples(st.sampled_from(list(NS)), st.integers(NOON_S, NOON_S + 9)), min_size=1, max_size=12)


@given(rows=_units, group_rows=st.integers(1, 5), batch_rows=st.integers(1, 4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mix_gives_right_times_or_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, int]], group_rows: int, batch_rows: int
) -> None:
    """No mix of units, in whatever groups and batches, gives a time that nobody wrote."""
    monkeypatch.setattr(module, "_BATCH_ROWS", batch_rows)
    rows.sort(key=lambda row: row[1])
    path = _write(tmp_path / "t", [second * 10**9 // NS[unit] for unit, second in rows], group_rows=group_rows)
    units = {unit for unit, _ in rows}
    if len(units) > 1 and "ns" not in units:
        with pytest.raises(RecordingError, match="mixes units"):
            open_recording(path)
        return
    wanted = "ns" if "ns" in units else next(iter(units))
    times, faults = _read(path)
    assert times == [second * 10**9 for unit, second in rows if unit == wanted]
    assert [fault.row for fault in faults] == [i for i, (unit, _) in enumerate(rows) if unit != wanted]


@pytest.mark.parametrize("kind", ["string_view", "large_string", "dictionary"])
def test_names_of_any_text_type(tmp_path: Path, kind: str) -> None:
    """Symbols and intervals are read whatever their texts are stored as; so are those without a value."""
    names = pa.array(["A", "B", None, "A"], pa.string_view() if "view" in kind else pa.large_string())
    if "dictionary" in kind:
        names = names.dictionary_encode()
    n = len(names)
    columns: dict[str, Any] = {"ts_ns": [NOON_S * 10**9] * n, "symbol": names}
    pq.write_table(pa.table(columns | {name: [1.0] * n for name in ("price", "qty", "bid", "ask")}), tmp_path / "t")
    recording = open_recording(tmp_path / "t")
    found = [chunk.symbols[i] for chunk in recording for i in chunk.records["symbol"].tolist()]
    assert (found, recording.rejected, recording.symbols()) == (["A", "B", "A"], 1, ("A", "B"))
