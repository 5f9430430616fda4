"""The memory of a replay does not grow with the rows of its recordings."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents.pages import ROOT
from tests.support.markets.measuring_traders import write_measuring_traders

GROUP = 1_000_000
SYMBOLS = 200
CHILD = """
import resource, sys
from pathlib import Path
from tests.support.markets.played import replayed_quietly
signals = replayed_quietly([Path(sys.argv[1])], Path(sys.argv[2]))
print(signals, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_ticks(path: Path, groups: int) -> Path:
    """Trades of all symbols, 5,000 a second, in row groups of a million."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet

    rng = np.random.default_rng(5)
    names = pa.array([f"S{number:03}" for number in range(SYMBOLS)])
    with pyarrow.parquet.ParquetWriter(path, _schema()) as writer:
        for group in range(groups):
            numbers = np.arange(GROUP) + group * GROUP
            columns = {
                "ts_ns": 1_709_553_600_000_000_000 + numbers * 200_000,
                "symbol": names.take(pa.array(rng.integers(0, SYMBOLS, GROUP))),
                "price": np.round(100 + rng.standard_normal(GROUP), 2),
                "qty": np.ones(GROUP),
                "bid": pa.nulls(GROUP, pa.float64()),
                "ask": pa.nulls(GROUP, pa.float64()),
                "trade_id": numbers + 1,
            }
            writer.write_table(pa.table(columns, schema=_schema()))
    return path


def _schema() -> Any:
    import pyarrow as pa

    numbers = [(name, pa.float64()) for name in ("price", "qty", "bid", "ask")]
    return pa.schema([("ts_ns", pa.int64()), ("symbol", pa.string()), *numbers, ("trade_id", pa.int64())])


def peak_kib(recording: Path, traders: Path) -> int:
    """Peak memory of a process that replays the recording."""
    command = [sys.executable, "-c", CHILD, str(recording), str(traders)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True, timeout=3_000)
    signals, kib = map(int, done.stdout.split())
    assert signals > 0
    return kib


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_ten_times_the_rows(tmp_path: Path) -> None:
    """Twenty million ticks take as much memory as two million, give or take a tenth."""
    traders = write_measuring_traders(tmp_path / "traders", "S000", only=("every-close", "rank-change", "relative"))
    few = peak_kib(write_ticks(tmp_path / "few.parquet", 2), traders)
    many = peak_kib(write_ticks(tmp_path / "many.parquet", 20), traders)
    assert abs(many - few) <= 0.1 * few, f"{few:,} KiB for 2 million rows, {many:,} KiB for 20 million"
