"""Writer: writes rows into a recording, a Parquet file that appears whole or not at all."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.casting import arrow
from tickflag.common.recordings.table import RecordedRows

GROUP_ROWS = 1 << 17
"""Rows of a Parquet row group. About so many rows wait in memory to be written."""


class Unsorted(TickflagError):  # noqa: N818 - reads as the state it reports
    """A row is older than an earlier one. `place` is the row's number in the table."""

    def __init__(self, place: int) -> None:
        super().__init__(f"row {place} is older than a row before it")
        self.place = place


class Writer:
    """Use it in a `with` block: the file appears at the end of the block, unless something was raised.

    With `sort` rows may come in any order, and wait in memory. Without it rows go to the file as they come, and a row
    older than an earlier one raises Unsorted. Raises TickflagError where the disk does not take the file.
    """

    def __init__(self, path: Path, sort: bool, overwrite: bool) -> None:
        if path.exists() and not overwrite:
            raise TickflagError(f"{path} exists: remove it, or overwrite it by `--force` or the argument `overwrite`")
        if path.exists() and not path.is_file():
            raise TickflagError(f"{path} is a folder or a device: name a file")
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

    def write(self, rows: RecordedRows) -> None:
        """Write rows, or keep them for later. Raises Unsorted."""
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
        try:
            self._write_waiting()
        except OSError as error:
            raise self._unwritable(error) from None
        self._waiting, self._waiting_rows = [], 0

    def _write_waiting(self) -> None:
        pa = arrow()
        table = pa.concat_tables(self._waiting).unify_dictionaries().combine_chunks()
        if self._sort:
            table = table.take(np.argsort(table.column(0).to_numpy(), kind="stable"))
        if self._file is None:
            self._file = pa.parquet.ParquetWriter(self._part, _plain_schema(table.schema), compression="zstd")
        self._file.write_table(table.cast(_plain_schema(table.schema)), row_group_size=GROUP_ROWS)

    def _unwritable(self, error: OSError) -> TickflagError:
        reason = os.strerror(error.errno) if error.errno else str(error)
        return TickflagError(f"{self._path} cannot be written: {reason}")

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
                try:
                    self._file.close()
                    os.replace(self._part, self._path)
                except OSError as failure:
                    raise self._unwritable(failure) from None
        finally:
            if self._file is not None:
                with contextlib.suppress(OSError):  # said already, or said before
                    self._file.close()  # does nothing where the file is closed already
            self._part.unlink(missing_ok=True)


def _plain_schema(schema: Any) -> Any:
    """The schema with names as plain texts: each batch has another dictionary."""
    pa = arrow()
    return pa.schema(
        [(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type) for field in schema]
    )
