"""CsvFile: a CSV file of any size as batches of text columns, each row with the number of its line."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import TickflagError
from common.recordings.casting import arrow

_BLOCK_BYTES = 1 << 22
_GZIP_MAGIC = b"\x1f\x8b"

Malformed = Callable[[int, str], None]
"""Takes the line of a row that has more or fewer columns than the header, and what is wrong with it."""


class CsvFile:
    """Plain or gzip-compressed. The first line names the columns, unless `header` does. Use it in a `with` block.

    All values are texts, empty ones too. A quoted value must not go over several lines.
    """

    def __init__(self, path: Path, delimiter: str, header: Sequence[str], malformed: Malformed) -> None:
        """Raises TickflagError where the file cannot be opened or has no line."""
        self._pa, self._path, self._malformed = arrow(), path, malformed
        from pyarrow import csv

        self._first_line = 1 if header else 2
        self._left_out: list[int] = []  # lines of malformed rows, in order
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                packed = file.read(2) == _GZIP_MAGIC
            self._raw = self._pa.OSFile(str(path))
            stream = self._pa.CompressedInputStream(self._raw, "gzip") if packed else self._raw
            names = list(header) or self._names(csv, packed, delimiter)
            self._reader = csv.open_csv(
                stream,
                # One thread: else rows have no numbers.
                csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=not header),
                csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=self._leave_out),
                csv.ConvertOptions(column_types=dict.fromkeys(names, self._pa.string()), strings_can_be_null=False),
            )
        except (OSError, self._pa.ArrowException, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None
        self.names: list[str] = names

    @property
    def done(self) -> int:
        """Bytes of the file that have been read, of `size`."""
        return int(self._raw.tell())

    def __iter__(self) -> Iterator[tuple[Any, NDArray[np.int64]]]:
        """Batches, and the line of each of their rows. Blank lines are none. Raises TickflagError."""
        rows = 0
        while True:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return
            except (OSError, self._pa.ArrowException) as error:
                raise self._unreadable(error) from None
            lines = self._lines(rows, batch.num_rows)
            rows += batch.num_rows
            blank = np.flatnonzero(self._blank(batch))
            if len(blank):
                kept = np.setdiff1d(np.arange(batch.num_rows), blank)
                batch, lines = batch.take(self._pa.array(kept)), lines[kept]
            yield batch, lines

    def _names(self, csv: Any, packed: bool, delimiter: str) -> list[str]:
        """What the first line says."""
        with self._pa.OSFile(str(self._path)) as raw:
            stream = self._pa.CompressedInputStream(raw, "gzip") if packed else raw
            options = csv.ParseOptions(delimiter=delimiter, invalid_row_handler=lambda _row: "skip")
            schema = csv.open_csv(stream, csv.ReadOptions(use_threads=False), options).schema
        return [name.strip().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}") for name in schema.names]

    def _leave_out(self, row: Any) -> str:
        line = row.number
        self._left_out.append(line)
        self._malformed(line, f"has {row.actual_columns} columns, not {row.expected_columns}")
        return "skip"

    def _lines(self, first: int, count: int) -> NDArray[np.int64]:
        """The lines of rows, which do not count the malformed ones between them."""
        rows = np.arange(first, first + count, dtype=np.int64)
        left_out = np.array(self._left_out, np.int64)
        before = left_out - self._first_line - np.arange(len(left_out))  # good rows before each
        lines: NDArray[np.int64] = rows + self._first_line + np.searchsorted(before, rows, "right")
        return lines

    def _blank(self, batch: Any) -> NDArray[np.bool_]:
        """Rows of a blank line: no column has a value."""
        blank = np.ones(batch.num_rows, np.bool_)
        for column in batch.columns:
            if not blank.any():
                break
            empty = self._pa.compute.equal(column, "").fill_null(True)
            blank &= empty.to_numpy(zero_copy_only=False)
        return blank

    def _unreadable(self, error: Exception) -> TickflagError:
        reason = getattr(error, "strerror", None)
        if reason:
            return TickflagError(f"{self._path} cannot be opened: {reason}")
        return TickflagError(f"{self._path} cannot be read as CSV: {' '.join(str(error).split())}")

    def __enter__(self) -> "CsvFile":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._reader.close()
        self._raw.close()
