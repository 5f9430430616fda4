"""The writer takes rows as they come, in order, or sorts them; the file is written whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.support.processes.disk import disk_full_after
from tickflag.common.errors import TickflagError
from tickflag.common.recordings import writer as module
from tickflag.common.recordings.checks import RowChecks, check_tick
from tickflag.common.recordings.errors import RowFaultLog
from tickflag.common.recordings.naming import ColumnRequest, named
from tickflag.common.recordings.table import RecordedRows, TableReader
from tickflag.common.recordings.times import Times
from tickflag.common.recordings.writer import Unsorted, Writer
from tickflag.common.units import NS_PER_S

NOON_S = 1_700_049_600


def _rows(seconds: Sequence[int], symbol: str = "A", first: int = 2) -> RecordedRows:
    """Trades at these times, with rows numbered from `first` on."""
    batch = pa.record_batch({"ts": [(NOON_S + second) * NS_PER_S for second in seconds], "price": [1.0] * len(seconds)})
    wanted, times = ColumnRequest(symbol=symbol), Times("ns")
    reader = TableReader(named(batch.schema.names, wanted), wanted, times, RowFaultLog("table", "line", None))
    return reader.rows(batch, np.arange(first, first + len(seconds)))


def _write(path: Path, batches: list[list[int]]) -> None:
    with Writer(path, sort=False, overwrite=True) as writer:
        for seconds in batches:
            writer.write(_rows(seconds))


def _written(path: Path) -> list[tuple[int, str]]:
    table = pa.parquet.read_table(path)
    return list(
        zip((table["ts_ns"].to_numpy() // NS_PER_S - NOON_S).tolist(), table["symbol"].to_pylist(), strict=True)
    )


def test_rows_in_order_go_to_the_file_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are written one after another, with other symbols in each; rows of the same time are in order."""
    monkeypatch.setattr(module, "GROUP_ROWS", 3)
    path = tmp_path / "x.parquet"
    with Writer(path, sort=False, overwrite=False) as writer:
        for seconds, symbol in (([1, 2], "A"), ([], "A"), ([2, 3], "B"), ([4], "A")):
            writer.write(_rows(seconds, symbol))
        assert not path.exists()
        assert (tmp_path / ".x.parquet.part").exists()
    assert _written(path) == [(1, "A"), (2, "A"), (2, "B"), (3, "B"), (4, "A")]
    assert pa.parquet.ParquetFile(path).num_row_groups == 3  # of at most three rows each
    assert [file.name for file in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize(("batches", "place"), [([[1, 3, 2]], 4), ([[1, 3], [2]], 2), ([[5], [6, 4, 7]], 3)])
def test_a_row_older_than_one_before_ends_it(tmp_path: Path, batches: list[list[int]], place: int) -> None:
    """The row is named by its number, within a batch and between two; what was written is removed."""
    with pytest.raises(Unsorted) as caught:
        _write(tmp_path / "x.parquet", batches)
    assert caught.value.place == place
    assert list(tmp_path.iterdir()) == []


def test_sorting_takes_any_order(tmp_path: Path) -> None:
    """Rows of the same time keep the order in which they came."""
    path = tmp_path / "x.parquet"
    with Writer(path, sort=True, overwrite=False) as writer:
        writer.write(_rows([3, 1], "A"))
        writer.write(_rows([2, 1], "B"))
    assert _written(path) == [(1, "A"), (1, "B"), (2, "B"), (3, "A")]


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups were written already; an old file stays."""
    monkeypatch.setattr(module, "GROUP_ROWS", 1)
    path = tmp_path / "x.parquet"
    _write(path, [[1]])
    with pytest.raises(Unsorted):
        _write(path, [[5, 6], [1]])
    assert _written(path) == [(1, "A")]
    assert [file.name for file in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize("room", [2, 200, 500])
def test_a_full_disk_leaves_nothing(tmp_path: Path, room: int) -> None:
    """Whether it fails at the first bytes, at the rows or at the end of the file, which holds the index: the error
    names the file."""
    path = tmp_path / "out.parquet"
    with disk_full_after(room), pytest.raises(TickflagError, match=f"{path} cannot be written: File too large"):
        _write(path, [list(range(1, 2_000))])
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """A device or a folder stays what it is, even with `overwrite`."""
    for path in (Path("/dev/null"), tmp_path):
        with pytest.raises(TickflagError, match="is a folder or a device"):
            Writer(path, False, True)


def test_a_tick_of_bids_alone_is_checked() -> None:
    """The check asks only for columns that the table has."""
    checks = RowChecks(2)
    check_tick(checks, {"bid": np.array([1.0, -1.0])})
    assert checks.refused.tolist() == [False, True]
