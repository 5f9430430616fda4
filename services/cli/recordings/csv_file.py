"""CsvFile: a CSV file of any size as batches of text columns, each row with the number of its line."""

from collections.abc import Callable, Iterator, Sequence
from csv import reader
from typing import Any

import numpy as np

from tickflag.common.arrays import Integers, Mask
from tickflag.common.errors import TickflagError
from tickflag.common.recordings.casting import arrow
from tickflag.services.cli.recordings.layouts import binance_columns, is_row
from tickflag.services.cli.recordings.sources import UNREADABLE, TableSource

_BLOCK_BYTES = 1 << 22
_HEAD_BYTES = 1 << 16
_DELIMITERS = ("\t", ";", ",", "|")

Malformed = Callable[[int, str], None]
"""Is called with the line of a row that has more or fewer columns than the header, and what is wrong with it."""


class CsvFile:
    """Reads a plain or packed file, or a member of an archive. The first line names the columns, unless `header` does,
    or it holds values as the files of Binance do.

    All values are texts, empty ones too. A quoted value must not span several lines. Use it in a `with` block.
    """

    def __init__(self, source: TableSource, delimiter: str, header: Sequence[str], malformed: Malformed) -> None:
        """An empty `delimiter` is told by the first line. Raises TickflagError where the file cannot be opened, has no
        line, or nothing names its columns."""
        self._pa, self._source, self._malformed = arrow(), source, malformed
        from pyarrow import csv

        self._left_out: list[int] = []  # the lines of malformed rows, in order
        try:
            self.size = source.size()
            first = self._first_line_text()
            delimiter = delimiter or next((one for one in _DELIMITERS if one in first), ",")
            cells = next(reader([first], delimiter=delimiter), [])
            named = _named(header, len(cells)) or self._names_of_binance(first, cells)
            stream, self._raw = source.open()
            names = named or self._names(csv, delimiter)
            self._first_line = 1 if named else 2
            self._reader = csv.open_csv(
                stream,
                # With more threads rows have no numbers.
                csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=not named),
                csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=self._leave_out),
                csv.ConvertOptions(column_types=dict.fromkeys(names, self._pa.string()), strings_can_be_null=False),
            )
        except (*UNREADABLE, self._pa.ArrowException) as error:
            raise source.unreadable(error, "CSV") from None
        self.names: list[str] = names

    @property
    def done(self) -> int:
        """How many of the file's `size` bytes have been read, about."""
        return min(int(self._raw.tell()), self.size)

    def __iter__(self) -> Iterator[tuple[Any, Integers]]:
        """Batches with the line of each of their rows; blank lines are left out. Raises TickflagError."""
        rows = 0
        while True:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return
            except (*UNREADABLE, self._pa.ArrowException) as error:
                raise self._source.unreadable(error, "CSV") from None
            lines = self._lines(rows, batch.num_rows)
            rows += batch.num_rows
            blank = np.flatnonzero(self._blank(batch))
            if len(blank):
                kept = np.setdiff1d(np.arange(batch.num_rows), blank)
                batch, lines = batch.take(self._pa.array(kept)), lines[kept]
            yield batch, lines

    def _first_line_text(self) -> str:
        """The first line, as far as it can be read."""
        stream, raw = self._source.open()
        with raw:
            head = bytes(stream.read(_HEAD_BYTES))
        if not head:
            raise TickflagError(f"{self._source} cannot be read as CSV: it is empty")
        self._source.refuse_foreign(head)
        return head.decode("utf-8-sig", errors="replace").lstrip("\r\n").partition("\n")[0].rstrip("\r")

    def _names_of_binance(self, first: str, cells: Sequence[str]) -> list[str]:
        """The columns where the first line holds values; empty where it names them."""
        if not is_row(cells):
            return []
        names = binance_columns(cells)
        if names is None:
            raise TickflagError(
                f"{self._source}: the first line names no columns, it holds values ({first[:60]}): name them by "
                "`--header`, as `--header time,open,high,low,close,volume`"
            )
        return list(names)

    def _names(self, csv: Any, delimiter: str) -> list[str]:
        """The columns that the first line names."""
        stream, raw = self._source.open()
        with raw:
            options = csv.ParseOptions(delimiter=delimiter, invalid_row_handler=lambda _row: "skip")
            schema = csv.open_csv(stream, csv.ReadOptions(use_threads=False), options).schema
        return [name.strip().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}") for name in schema.names]

    def _leave_out(self, row: Any) -> str:
        line = row.number
        self._left_out.append(line)
        self._malformed(line, f"has {row.actual_columns} columns, not {row.expected_columns}")
        return "skip"

    def _lines(self, first: int, count: int) -> Integers:
        """The lines of `count` rows from row `first` on. Malformed rows have a line, but no row number."""
        rows = np.arange(first, first + count, dtype=np.int64)
        left_out = np.array(self._left_out, np.int64)
        before = left_out - self._first_line - np.arange(len(left_out))  # good rows before each
        lines: Integers = rows + self._first_line + np.searchsorted(before, rows, "right")
        return lines

    def _blank(self, batch: Any) -> Mask:
        """Which rows are blank lines: no column has a value."""
        blank = np.ones(batch.num_rows, np.bool_)
        for column in batch.columns:
            if not blank.any():
                break
            empty = self._pa.compute.equal(column, "").fill_null(True)
            blank &= empty.to_numpy(zero_copy_only=False)
        return blank

    def __enter__(self) -> "CsvFile":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._reader.close()
        self._raw.close()


def _named(header: Sequence[str], columns: int) -> list[str]:
    """The names of a given header, and others for the columns beyond it."""
    return [*header, *(f"column {number + 1}" for number in range(len(header), columns))] if header else []
