"""Recorded markets cut anew: into row groups, files and symbols, in any order, they replay to the same bytes."""

import gzip
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.markets.cuts import CHUNKS, random_cut, shuffled
from tests.support.markets.measuring_traders import write_measuring_traders
from tests.support.markets.played import played
from tests.support.markets.recorded_parts import PARTS, WHOLE, RecordedPart

PARQUET = [part for part in PARTS if part.file.endswith(".parquet")]
CAPTURES = [part for part in PARTS if part not in PARQUET]
DEFAULT: dict[str, Any] = {"min_swap_interval_ms": 100.0, "rate_limit_ms": 100.0}
EACH_SECOND: dict[str, Any] = {"min_swap_interval_ms": 1_000.0, "rate_limit_ms": 1_000.0}
TRADERS = ("candles-5m", "day", "every-close", "rank-change", "rank-last", "relative")


def assert_same_bytes(path: Path, folder: Path, seed: int, cuts: int, pace: dict[str, Any] = DEFAULT) -> None:
    """Play a Parquet file as it is, then cut in so many ways."""
    import pyarrow.parquet

    rng, table = Random(seed), pyarrow.parquet.read_table(path)
    reference = min(table.column("symbol").to_pylist())
    chosen = write_measuring_traders(folder / "traders", reference, only=TRADERS)
    expected = played([path], chosen, **pace).output
    for number in range(cuts):
        paths = random_cut(table, folder / f"cut{number}", rng)
        found = played(paths, chosen, chunk_rows=rng.choice(CHUNKS[2:]), **pace).output
        assert found == expected, [str(path.relative_to(folder)) for path in paths]


@pytest.mark.parametrize("part", PARQUET, ids=str)
def test_parts_cut_anew(part: RecordedPart, test_data: Path, tmp_path: Path) -> None:
    """A part of each file, cut in two ways."""
    assert_same_bytes(part.write(test_data, tmp_path), tmp_path, PARQUET.index(part), 2)


@pytest.mark.parametrize("part", CAPTURES, ids=str)
def test_captures_cut_anew(part: RecordedPart, test_data: Path, tmp_path: Path) -> None:
    """A part of each capture."""
    assert_capture_gives_same_bytes(part.write(test_data, tmp_path), tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("part", [part for part in WHOLE if not part.file.endswith(".parquet")], ids=str)
def test_whole_captures_cut_anew(part: RecordedPart, test_data: Path, tmp_path: Path) -> None:
    """The whole of each capture."""
    assert_capture_gives_same_bytes(test_data / part.file, tmp_path, chunk_rows=1_000)


def assert_capture_gives_same_bytes(path: Path, folder: Path, chunk_rows: int = 7) -> None:
    """Play a capture as it is, then with its lines divided into files, in any order, and into batches."""
    rng = Random(len(path.name))
    lines = path.read_bytes().splitlines(keepends=True) if path.suffix == ".jsonl" else _unpacked(path)
    traders = write_measuring_traders(folder / "traders", "ETHUSDT", only=TRADERS)
    expected = played([path], traders, **DEFAULT).output
    edges = sorted(rng.sample(range(len(lines) // 5, len(lines)), 3))
    paths = []
    for number, (start, stop) in enumerate(zip([0, *edges], [*edges, len(lines)], strict=True)):
        paths.append(folder / f"{number}.jsonl")
        paths[-1].write_bytes(b"".join(lines[start:stop]))
    assert played(shuffled(paths, rng), traders, chunk_rows=chunk_rows, **DEFAULT).output == expected


def _unpacked(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


@pytest.mark.soak
@pytest.mark.parametrize("part", [part for part in WHOLE if part.file.endswith(".parquet")], ids=str)
def test_whole_files_cut_anew(part: RecordedPart, test_data: Path, tmp_path: Path) -> None:
    """The whole of each file, cut in two ways."""
    assert_same_bytes(test_data / part.file, tmp_path, 11, 2, EACH_SECOND if part.file.startswith("ticks") else DEFAULT)
