"""`tickflag import`: CSV files of every usual form become recordings; rows at fault are named by file and line."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tests.unit.cli.conftest import Run
from tickflag.common.errors import NO_MEMORY
from tickflag.common.runtime import Runtime
from tickflag.services.cli.recordings import csv_file
from tickflag.services.feed.recordings import open_recording

NOON = 1_700_049_600

TRADES = """\
timestamp,Symbol,price,size
2023-11-15T12:00:00Z,AAA,1.5,10
2023-11-15T12:00:01.25Z,BBB,2.5,20
2023-11-15T12:00:02Z,AAA,3.5,30
"""


def _rows(path: Path) -> list[tuple[Any, ...]]:
    recording = open_recording(path)
    found = []
    for chunk in recording:
        for row in chunk.records:
            at, *rest = ("open_ns", "close", "volume") if "open_ns" in row.dtype.names else ("recv_ns", "price", "qty")
            found.append(
                ((row[at].item() - NOON * 10**9) / 1e9, chunk.symbols[row["symbol"]], *(row[n].item() for n in rest))
            )
    assert recording.rejected == 0
    return found


WRITTEN = [(0.0, "AAA", 1.5, 10.0), (1.25, "BBB", 2.5, 20.0), (2.0, "AAA", 3.5, 30.0)]


@pytest.mark.parametrize("form", ["plain", "gzip", "semicolons", "tabs", "quoted", "windows", "blocks"])
def test_files_of_every_form(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Files may be compressed, have any separator, and be read in blocks of any size."""
    source, out = tmp_path / "trades.csv", tmp_path / "trades.parquet"
    text, options = TRADES, []
    if form == "semicolons":
        text, options = TRADES.replace(",", ";"), ["--delimiter", ";"]
    elif form == "tabs":
        text, options = TRADES.replace(",", "\t"), ["--delimiter", "tab"]
    elif form == "quoted":
        text = TRADES.replace("AAA", '"AAA"')
    elif form == "windows":
        text = "\ufeff" + TRADES.replace("\n", "\r\n")
    elif form == "blocks":
        monkeypatch.setattr(csv_file, "_BLOCK_BYTES", 64)
    source.write_bytes(gzip.compress(text.encode()) if form == "gzip" else text.encode())
    result = run("import", str(source), "--out", str(out), *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{out}: 3 rows; 0 refused\n"
    assert _rows(out) == WRITTEN


def test_candles_of_files_without_a_header(run: Run, tmp_path: Path) -> None:
    """Options give columns, symbol and interval; further columns are ignored. The rows of all files follow one
    another."""
    paths = []
    for number in (0, 1):
        path = tmp_path / f"k{number}.csv"
        path.write_text(f"{(NOON + 60 * number) * 1000},1,3,1,2,7,{NOON}999,0.5,12\n")
        paths.append(str(path))
    out = tmp_path / "k.parquet"
    header = "open_time,open,high,low,close,volume,close_time,quote_volume,count"
    result = run(
        "import", *paths, "--out", str(out), "--header", header, "--symbol", "BTC", "--interval", "1m", "--json"
    )
    document = json.loads(result.stdout)
    assert document == {"recording": str(out), "rows": 2, "refused": 0, "widened": 0, "skipped": 0}
    assert _rows(out) == [(0.0, "BTC", 2.0, 7.0), (60.0, "BTC", 2.0, 7.0)]


def test_columns_times_and_zones_as_said(run: Run, tmp_path: Path) -> None:
    """Options give names that nobody could guess, a unit, and a time zone."""
    source, out = tmp_path / "t.csv", tmp_path / "t.parquet"
    source.write_text("when,who,what\n2023-11-15 13:00,A,5\n")
    mapped = ("--column", "time=when", "--column", "symbol=who", "--column", "price=what")
    assert run("import", str(source), "--out", str(out), *mapped, "--timezone", "Europe/Berlin").exit_code == 0
    assert _rows(out)[0][:3] == (0.0, "A", 5.0)
    source.write_text(f"when,who,what\n{NOON},A,5\n")
    assert run("import", str(source), "--out", str(out), *mapped, "--time-unit", "s", "--force").exit_code == 0
    assert _rows(out)[0][:3] == (0.0, "A", 5.0)


@pytest.mark.parametrize("block", [40, 1 << 20])
def test_rows_at_fault_are_named_by_file_and_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Blank lines count as lines and not as rows; the other rows are imported, and all are counted."""
    monkeypatch.setattr(csv_file, "_BLOCK_BYTES", block)
    source, out = tmp_path / "t.csv", tmp_path / "t.parquet"
    lines = [
        "time,symbol,price,bid", f"{NOON},A,1,", f"{NOON},A,x,", "", f"{NOON},A", f"{NOON},A,1,2,3", f"{NOON},,1,",
        "later,A,1,", f"{NOON},A,-1,", ",A,1,", f"{NOON},A,,0", f"{NOON},A,,8", f"{NOON},A,2,",
    ]  # fmt: skip
    source.write_text("\n".join(lines) + "\n\n")
    result = run("import", str(source), "--out", str(out))
    assert result.stdout == f"{out}: 3 rows; 7 refused, 1 without any price\n"
    *faults, last = result.stderr.splitlines()
    assert last == f"{source}: 7 lines refused, the first: line 3, field price: 'x' is not a number"
    assert sorted(faults) == sorted(
        f"row refused: {source}, line {line}{field}: {reason}"
        for line, field, reason in [
            (3, ", field price", "'x' is not a number"),
            (5, "", "has 2 columns, not 4"),
            (6, "", "has 5 columns, not 4"),
            (7, ", field symbol", "is missing"),
            (8, ", field time", "'later' is no time"),
            (9, ", field price", "-1.0 is not a positive finite number"),
            (10, ", field time", "is missing"),
        ]
    )
    assert [row[2] for row in _rows(out)] == [1.0, pytest.approx(np.nan, nan_ok=True), 2.0]


def test_many_rows_at_fault_are_counted(run: Run, tmp_path: Path) -> None:
    """Twenty are named, then how many there are."""
    source, out = tmp_path / "t.csv", tmp_path / "t.parquet"
    source.write_text("time,symbol,price\n" + f"{NOON},A,0\n" * 50 + f"{NOON},A,1\n")
    result = run("import", str(source), "--out", str(out))
    assert len(result.stderr.splitlines()) == 21
    assert result.stderr.splitlines()[-1] == (
        f"{source}: 50 lines refused, the first: line 2, field price: 0.0 is not a positive finite number"
    )
    assert "1 row; 50 refused" in result.stdout


def test_rows_out_of_order_are_refused_or_sorted(run: Run, tmp_path: Path) -> None:
    """Without --sort the first such row is named by file and line, and nothing is written; so too from file to file."""
    early, late, out = tmp_path / "early.csv", tmp_path / "late.csv", tmp_path / "t.parquet"
    early.write_text(f"time,symbol,price\n{NOON},A,1\n")
    late.write_text(f"time,symbol,price\n{NOON + 2},A,3\n\n{NOON + 1},A,2\n")
    result = run("import", str(late), "--out", str(out))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"tickflag: {late}, line 4: older than a row before it: import with --sort")
    result = run("import", str(late), str(early), "--out", str(out), "--json")
    assert result.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["early.csv", "late.csv"]
    assert run("import", str(late), str(early), "--out", str(out), "--sort").exit_code == 0
    assert [row[2] for row in _rows(out)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (None, [], "t.csv cannot be opened: No such file or directory"),
        ("", [], "t.csv cannot be read as CSV: "),
        ("time,symbol,price\n", [], "not one row can be used"),
        ("time,price\n1,2\n", [], "t.csv: no column is named as symbol of ticks; there are time, price"),
        (TRADES, ["--column", "price=cost"], "t.csv: there is no column 'cost' for price"),
        (TRADES, ["--timezone", "Mars"], "no time zone 'Mars'"),
        (b"time,symbol,price\n1,\xff\xfe,2\n", [], "t.csv cannot be read as CSV: "),
        (TRADES, ["--out", "nowhere/t.parquet"], "nowhere is no folder"),
    ],
)
def test_what_cannot_be_imported(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Any, options: list[str], message: str
) -> None:
    """One line names the file or option and the fault, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("t.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    result = run("import", "t.csv", "--out", "t.parquet", *options)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1, result.stderr
    assert message in result.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"t.csv"}


def test_without_pyarrow(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what to install."""
    source = tmp_path / "t.csv"
    source.write_text(TRADES)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run("import", str(source), "--out", str(tmp_path / "t.parquet"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "pip install 'tickflag[data]'" in result.stderr


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_lack_of_memory_is_no_fault_of_the_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The line says what the machine lacks, whatever kind of error the library makes of it."""
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        path.write_text("time,symbol,price\n1,A,1\n")
    else:
        pq.write_table(pa.table({"time": [1], "symbol": ["A"], "price": [1.0]}), path)

    def fail(*_: object, **_options: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 910464 failed")

    monkeypatch.setattr(pa.csv, "open_csv", fail)
    monkeypatch.setattr(pq, "ParquetFile", fail)
    result = run("import", str(path), "--out", str(tmp_path / "o.parquet"))
    assert (result.exit_code, result.stderr) == (1, f"tickflag: {path} cannot be read: {NO_MEMORY}\n")


@pytest.mark.parametrize("option", [("--column", "price"), ("--column", "=x"), ("--delimiter", "ab"), ("--kind", "x")])
def test_wrong_usage(run: Run, tmp_path: Path, option: tuple[str, str]) -> None:
    """Options without a meaning are usage errors."""
    assert run("import", "t.csv", "--out", "x.parquet", *option).exit_code == 2


def test_what_was_imported_is_replayed(run: Run, runtime: Runtime, tmp_path: Path) -> None:
    """A trader finds in the recording what the file holds."""
    source, out, trader = tmp_path / "t.csv", tmp_path / "t.parquet", tmp_path / "cheap.py"
    source.write_text(TRADES)
    trader.write_text(
        "from tickflag.common.traderapi import Trader, hookimpl\n\n"
        "@hookimpl\ndef trader():\n    return Trader(name='cheap')\n\n"
        "@hookimpl\ndef evaluate(market):\n    return market.last < 3.0\n"
    )
    assert run("import", str(source), "--out", str(out)).exit_code == 0
    result = run("replay", str(out), "--traders", str(trader), "--json")
    signals = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["symbol"], one["event"], one["time_ms"] / 1000 - NOON) for one in signals[:-1]] == [
        ("AAA", "entered", 0.0), ("BBB", "entered", 1.25), ("AAA", "left", 2.0),
    ]  # fmt: skip
    assert signals[-1]["summary"]["matches"] == {"cheap": {"BBB": 1.0}}


def test_days_in_a_column_of_their_own(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first block tells counts for all: here that times are times of day."""
    monkeypatch.setattr(csv_file, "_BLOCK_BYTES", 64)
    source, out = tmp_path / "t.csv", tmp_path / "t.parquet"
    source.write_text("date,time,symbol,price\n" + "".join(f"20231115,1200{i:02},A,{i + 1}\n" for i in range(20)))
    assert run("import", str(source), "--out", str(out)).exit_code == 0
    assert [row[0] for row in _rows(out)] == [float(i) for i in range(20)]


@pytest.mark.parametrize("form", ["gzip", "parquet"])
def test_files_damaged_half_way(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """The error names the file, and nothing is written."""
    monkeypatch.setattr(csv_file, "_BLOCK_BYTES", 1 << 16)
    source, out = tmp_path / "t", tmp_path / "t.parquet"
    if form == "gzip":
        rows = np.random.default_rng(1).random(200_000).tolist()
        text = "time,symbol,price\n" + "".join(f"{NOON},A,{price}\n" for price in rows)
        source.write_bytes(gzip.compress(text.encode())[:-30_000])
    else:
        source.write_bytes(_damaged_parquet(tmp_path / "whole"))
    result = run("import", str(source), "--out", str(out))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert f"{source} cannot be read as {'CSV' if form == 'gzip' else 'Parquet'}: " in result.stderr
    assert not out.exists()


def _damaged_parquet(path: Path) -> bytes:
    n = 1000
    table = pa.table({"time": [NOON] * n, "symbol": ["A"] * n, "price": np.arange(1.0, n + 1)})
    pq.write_table(table, path, compression="gzip", use_dictionary=False)
    whole = bytearray(path.read_bytes())
    for at in range(200, 2000):
        whole[at] = 0
    return bytes(whole)
