"""Writer: rows into a recording, a Parquet file that is there whole or not at all."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from common.errors import TickflagError
from common.recordings.casting import arrow
from common.recordings.table import Rows

GROUP_ROWS = 1 << 17
"""Rows of a Parquet row group, and so about how many wait to be written."""


class Unsorted(TickflagError):  # noqa: N818 - reads as the state it reports
    """A row is older than one before it. `place` is its number in the table."""

    def __init__(self, place: int) -> None:
        super().__init__(f"row {place} is older than a row before it")
        self.place = place


class Writer:
    """Use it in a `with` block: at its end, if nothing was raised, the file is there. With `sort` rows may come in any
    order and wait in memory; else they go to the file as they come, and an older one raises Unsorted."""

    def __init__(self, path: Path, sort: bool, overwrite: bool) -> None:
        if path.exists() and not overwrite:
            raise TickflagError(f"{path} exists: remove it, or overwrite it by `--force` or the argument `overwrite`")
        if not path.parent.is_dir():
            raise TickflagError(f"{path.parent} is no folder")
        self._path, self._sort = path, sort
        self._part = path.with_name(f".{path.name}.part")
        self._file: Any = None
        self._waiting: list[Any] = []
        self._waiting_rows = 0
        self._newest_ns = 0
        self.rows = 0
        """Rows written so far, or waiting."""

    def write(self, rows: Rows) -> None:
        """Take rows. Raises Unsorted."""
        if not len(rows):
            return
        if not self._sort:
            before = np.concatenate([[self._newest_ns], rows.times_ns[:-1]])
            older = np.flatnonzero(rows.times_ns < np.maximum.accumulate(before))
            if len(older):
                raise Unsorted(int(rows.places[older[0]]))
            self._newest_ns = int(rows.times_ns[-1])
        self.rows += len(rows)
        self._waiting.append(rows.batch)
        self._waiting_rows += len(rows)
        if not self._sort and self._waiting_rows >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        pa = arrow()
        table = pa.concat_tables(self._waiting).unify_dictionaries().combine_chunks()
        if self._sort:
            table = table.take(np.argsort(table.column(0).to_numpy(), kind="stable"))
        if self._file is None:
            self._file = pa.parquet.ParquetWriter(self._part, _plain_schema(table.schema), compression="zstd")
        self._file.write_table(table.cast(_plain_schema(table.schema)), row_group_size=GROUP_ROWS)
        self._waiting, self._waiting_rows = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if self._waiting:
                    self._flush()
                if self._file is None:
                    raise TickflagError(f"not one row can be used: {self._path} is not written")
                self._file.close()
                os.replace(self._part, self._path)
        finally:
            if self._file is not None:
                self._file.close()  # once more does nothing
            self._part.unlink(missing_ok=True)


def _plain_schema(schema: Any) -> Any:
    """Names as texts: dictionaries of several batches differ."""
    pa = arrow()
    return pa.schema(
        [(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type) for field in schema]
    )
