"""The writer takes rows as they come, in order, or sorts them; the file is there whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from common.recordings import writer as module
from common.recordings.checks import RowChecks, check_tick
from common.recordings.errors import FaultLog
from common.recordings.naming import Wanted, named
from common.recordings.table import Reader, Rows
from common.recordings.times import Times
from common.recordings.writer import Unsorted, Writer

S = 1_000_000_000


def _rows(seconds: Sequence[int], symbol: str = "A", first: int = 2) -> Rows:
    """Trades at these times, whose rows are numbered from `first` on."""
    batch = pa.record_batch({"ts": [second * S for second in seconds], "price": [1.0] * len(seconds)})
    wanted = Wanted(symbol=symbol)
    reader = Reader(named(batch.schema.names, wanted), wanted, Times("ns"), FaultLog("table", "line", None))
    return reader.rows(batch, np.arange(first, first + len(seconds)))


def _write(path: Path, batches: list[list[int]]) -> None:
    with Writer(path, sort=False, overwrite=True) as writer:
        for seconds in batches:
            writer.write(_rows(seconds))


def _written(path: Path) -> list[tuple[int, str]]:
    table = pa.parquet.read_table(path)
    return list(zip((table["ts_ns"].to_numpy() // S).tolist(), table["symbol"].to_pylist(), strict=True))


def test_rows_in_order_go_to_the_file_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Group after group, with other symbols in each; the same time again is in order."""
    monkeypatch.setattr(module, "GROUP_ROWS", 3)
    path = tmp_path / "x.parquet"
    with Writer(path, sort=False, overwrite=False) as writer:
        for seconds, symbol in (([1, 2], "A"), ([], "A"), ([2, 3], "B"), ([4], "A")):
            writer.write(_rows(seconds, symbol))
        assert not path.exists()
        assert (tmp_path / ".x.parquet.part").exists()
    assert _written(path) == [(1, "A"), (2, "A"), (2, "B"), (3, "B"), (4, "A")]
    assert pa.parquet.ParquetFile(path).num_row_groups == 3  # of three rows at most
    assert [file.name for file in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize(("batches", "place"), [([[1, 3, 2]], 4), ([[1, 3], [2]], 2), ([[5], [6, 4, 7]], 3)])
def test_a_row_older_than_one_before_ends_it(tmp_path: Path, batches: list[list[int]], place: int) -> None:
    """It is named by its place, within a batch and between two; what was written goes away."""
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
    """Though groups were written already; an old file stays."""
    monkeypatch.setattr(module, "GROUP_ROWS", 1)
    path = tmp_path / "x.parquet"
    _write(path, [[1]])
    with pytest.raises(Unsorted):
        _write(path, [[5, 6], [1]])
    assert _written(path) == [(1, "A")]
    assert [file.name for file in tmp_path.iterdir()] == ["x.parquet"]


def test_a_tick_of_bids_alone_is_checked() -> None:
    """Columns that a table does not have are not asked for."""
    checks = RowChecks(2)
    check_tick(checks, {"bid": np.array([1.0, -1.0])})
    assert checks.refused.tolist() == [False, True]
