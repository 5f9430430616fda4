"""ParquetFile: a Parquet file with any columns as batches, each row with its number."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tickflag.common.arrays import Integers
from tickflag.common.recordings.casting import arrow
from tickflag.services.cli.recordings.sources import UNREADABLE, TableSource


class ParquetFile:
    """Rows are numbered from 0. Use it in a `with` block."""

    def __init__(self, source: TableSource) -> None:
        """Raises TickflagError where the file is damaged."""
        self._pa, self._source = arrow(), source
        try:
            self.size = source.size()
            self._raw = source.open()[0]
            self._file = self._pa.parquet.ParquetFile(
                self._pa.BufferReader(self._raw.read()) if source.member else self._raw
            )
        except (*UNREADABLE, self._pa.ArrowException) as error:
            raise self._source.unreadable(error, "Parquet") from None
        self.names: list[str] = list(self._file.schema_arrow.names)
        self.done = 0
        """How many of the file's `size` bytes have been read, about."""

    def __iter__(self) -> Iterator[tuple[Any, Integers]]:
        """Batches with the number of each of their rows. Raises TickflagError."""
        row, rows = 0, max(int(self._file.metadata.num_rows), 1)
        batches = self._file.iter_batches()
        while True:
            try:
                batch = next(batches, None)
            except (*UNREADABLE, self._pa.ArrowException) as error:
                raise self._source.unreadable(error, "Parquet") from None
            if batch is None:
                return
            yield batch, np.arange(row, row + batch.num_rows, dtype=np.int64)
            row += batch.num_rows
            self.done = self.size * row // rows

    def __enter__(self) -> "ParquetFile":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()
        self._raw.close()
