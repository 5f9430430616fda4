"""The same rows cut anew: into row groups, into files one after the other, by symbol, in folders, in any order."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

CHUNKS = (1, 7, 100, 1_000, 65_536)


def random_cut(table: Any, folder: Path, rng: Random) -> list[Path]:
    """Write the rows of a pyarrow table to files in one of the ways, and give the files in any order.

    Files that follow one another are named in that order, or have one name and lie in folders named in that order.
    """
    folder.mkdir(parents=True)
    way = rng.choice(["groups", "files", "folders", "symbols"])
    if way == "groups":
        paths = [_write(table, folder / "rows.parquet", rng)]
    elif way == "symbols":
        paths = list(_by_symbol(table, folder, rng))
    else:
        paths = []
        for number, part in enumerate(_pieces(table, rng, rng.randint(1, 5))):
            path = folder / (f"{number}.parquet" if way == "files" else f"{number}/rows.parquet")
            path.parent.mkdir(exist_ok=True)
            paths.append(_write(part, path, rng))
    rng.shuffle(paths)
    return paths


def _by_symbol(table: Any, folder: Path, rng: Random) -> Iterator[Path]:
    import pyarrow

    symbols = table.column("symbol").to_pylist()
    names = sorted(set(symbols))
    files = {name: rng.randrange(4) for name in names}
    for number in sorted(set(files.values())):
        chosen = pyarrow.array([files[symbol] == number for symbol in symbols])
        yield _write(table.filter(chosen), folder / f"{rng.randrange(1_000)}-{number}.parquet", rng)


def _pieces(table: Any, rng: Random, count: int) -> Iterator[Any]:
    edges = sorted(rng.randrange(table.num_rows + 1) for _ in range(count - 1))
    for start, stop in zip([0, *edges], [*edges, table.num_rows], strict=True):
        if start < stop:
            yield table.slice(start, stop - start)


def _write(table: Any, path: Path, rng: Random) -> Path:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
        for piece in _pieces(table, rng, rng.randint(1, 6)):
            writer.write_table(piece)
    return path


def shuffled(paths: Sequence[Path], rng: Random) -> list[Path]:
    return rng.sample(list(paths), len(paths))
