"""Columns of a Parquet file: checked against what a recording needs, then read batch by batch as numpy arrays."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tickflag.common.arrays import Floats, Integers, Mask
from tickflag.common.errors import shortage_of
from tickflag.common.recordings.errors import RecordingError

ColumnType = Literal["text", "integer", "number", "time"]

_TYPE_WORDS = {"text": "text", "integer": "whole numbers", "number": "numbers", "time": "whole numbers or timestamps"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column a recording needs, or may have."""

    name: str
    type: ColumnType
    required: bool = True


@dataclass(frozen=True, slots=True)
class IntegerColumn:
    """Whole numbers; 0 where `missing`."""

    values: Integers
    missing: Mask | None


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """Prices or amounts; NaN where the file has none. `nan` marks rows that hold NaN instead of null."""

    values: Floats
    nan: Mask | None


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Texts by code: row i holds `values[codes[i]]`, and nothing where the code is -1. Values are UTF-8 bytes."""

    codes: Integers
    values: tuple[bytes, ...]

    def used(self) -> Iterator[tuple[int, bytes]]:
        """The codes that occur, with their texts. A dictionary may hold more than the rows use."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))
        for code in np.flatnonzero(counts).tolist():
            yield code, self.values[code]


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise RecordingError(str(path), "reading Parquet needs pyarrow: pip install 'tickflag[data]'") from error
    return pyarrow


@contextmanager
def _damage_named(arrow: Any, path: Path, row: int | None = None) -> Iterator[None]:
    try:
        yield
    except RecordingError:
        raise
    except (arrow.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError) as error:
        where = "" if row is None else " from this row on"
        lacking, text = shortage_of(error), " ".join(str(error).split())
        reason = f"cannot be read as Parquet{where}; the file is damaged or cut off ({text})"
        if lacking:
            reason = f"cannot be read{where}: {lacking}"
        raise RecordingError(str(path), reason, row=row) from error


def column_names(path: Path) -> tuple[str, ...]:
    """The names of a Parquet file's columns. Raises RecordingError if the file cannot be read."""
    arrow = _pyarrow(path)
    with _damage_named(arrow, path):
        return tuple(arrow.parquet.read_schema(path).names)


class ColumnBatch:
    """Some consecutive rows of the file; `row` is the number of the first, from 0."""

    def __init__(self, arrow: Any, path: Path, record_batch: Any, row: int) -> None:
        self._arrow = arrow
        self._path = path
        self._batch = record_batch
        self.row = row

    def __len__(self) -> int:
        return int(self._batch.num_rows)

    def has(self, name: str) -> bool:
        """Whether an optional column is there."""
        return name in self._batch.schema.names

    def integers(self, name: str) -> IntegerColumn:
        """A column of whole numbers. Unsigned numbers beyond 63 bits wrap round and end up negative.

        Of timestamps these are the numbers in their own unit.
        """
        array = self._batch.column(name)
        missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        if missing is not None:
            array = array.fill_null(0)
        return IntegerColumn(array.cast(self._arrow.int64(), safe=False).to_numpy(), missing)

    def numbers(self, name: str) -> NumberColumn:
        """A column of prices or amounts."""
        array = self._batch.column(name).cast(self._arrow.float64(), safe=False)
        values: Floats = array.to_numpy(zero_copy_only=False)
        unset = values != values
        if int(np.count_nonzero(unset)) == array.null_count:
            return NumberColumn(values, None)
        return NumberColumn(values, unset & array.is_valid().to_numpy(zero_copy_only=False))

    def texts(self, name: str) -> TextColumn:
        """A column of texts by code."""
        array = self._batch.column(name)
        if not self._arrow.types.is_dictionary(array.type):
            array = array.dictionary_encode()
        indices = array.indices.cast(self._arrow.int64())
        codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
        # As bytes, because a damaged file can hold text that is not UTF-8, and only that symbol's rows are at fault.
        values = array.dictionary.cast(self._arrow.large_binary()).to_pylist()
        if len(codes) and not -1 <= codes.min() <= codes.max() < len(values):
            # Decoding trusts the page, so damage can leave codes that point at no text.
            reason = "cannot be read from this row on; the file is damaged (texts are missing)"
            raise RecordingError(str(self._path), reason, name, self.row)
        if None in values:
            absent = np.array([value is None for value in values])
            codes = np.where((codes >= 0) & absent[codes], -1, codes)
        return TextColumn(codes, tuple(value or b"" for value in values))


def _by_group(file: Any, names: Sequence[str], batch_rows: int, first_group: int) -> Iterator[Any]:
    """The record batches, one row group after the other: a reader of several keeps them all in memory."""
    for number in range(first_group, file.num_row_groups):
        yield from file.iter_batches(batch_size=batch_rows, columns=list(names), row_groups=[number])


class ColumnFile:
    """A Parquet file whose columns have been checked. Holds no open file between readings."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        """Check that the columns are there and of the right type. Raises RecordingError naming the first at fault."""
        self._path = path
        self._arrow = _pyarrow(path)
        with _damage_named(self._arrow, path), self._arrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            self.rows = int(file.metadata.num_rows)
        self.stated_units: dict[str, str] = {}
        """Of each column of times the unit of its timestamps; empty where it holds whole numbers."""
        for column in columns:
            self._check(schema, column)
        self.names = tuple(column.name for column in columns if column.name in schema.names)
        self._texts = [column.name for column in columns if column.type == "text"]

    def _check(self, schema: Any, column: Column) -> None:
        found = schema.get_all_field_indices(column.name)
        if not found:
            if column.required:
                has = ", ".join(schema.names)
                raise RecordingError(str(self._path), f"the column is missing; the file has {has}", column.name)
            return
        if len(found) > 1:
            raise RecordingError(str(self._path), f"the column is there {len(found)} times", column.name)
        arrow_type, types = schema.field(found[0]).type, self._arrow.types
        if types.is_dictionary(arrow_type):
            arrow_type = arrow_type.value_type
            fits = column.type == "text" and self._is_text(arrow_type)
        elif column.type == "text":
            fits = self._is_text(arrow_type)
        elif column.type == "integer":
            fits = types.is_integer(arrow_type)
        elif column.type == "time":
            fits = types.is_integer(arrow_type) or types.is_timestamp(arrow_type)
            self.stated_units[column.name] = getattr(arrow_type, "unit", "")
        else:
            # Writers give the type null to a column that has no value in any row.
            fits = types.is_floating(arrow_type) or types.is_integer(arrow_type) or types.is_decimal(arrow_type)
            fits = fits or types.is_null(arrow_type)
        if not fits:
            reason = f"must hold {_TYPE_WORDS[column.type]}, but has type {arrow_type}"
            raise RecordingError(str(self._path), reason, column.name)

    def _is_text(self, arrow_type: Any) -> bool:
        types = self._arrow.types
        is_view = getattr(types, "is_string_view", lambda _type: False)
        return bool(types.is_string(arrow_type) or types.is_large_string(arrow_type) or is_view(arrow_type))

    def has_values(self, name: str) -> bool:
        """Whether a column has a value in any row, as far as the file's statistics tell: True where they do not."""
        with _damage_named(self._arrow, self._path), self._arrow.parquet.ParquetFile(self._path) as file:
            metadata, place = file.metadata, file.schema.names.index(name)
            for number in range(metadata.num_row_groups):
                group = metadata.row_group(number)
                told = group.column(place).statistics
                if told is None or not told.has_null_count or told.null_count < group.num_rows:
                    return True
        return False

    def groups_below(self, name: str, least: int) -> int:
        """How many row groups at the beginning hold only numbers below `least` in a column of whole numbers, as far as
        the file's statistics tell; 0 of timestamps."""
        if self.stated_units.get(name):
            return 0
        with _damage_named(self._arrow, self._path), self._arrow.parquet.ParquetFile(self._path) as file:
            metadata, place = file.metadata, file.schema.names.index(name)
            for number in range(metadata.num_row_groups):
                told = metadata.row_group(number).column(place).statistics
                if told is None or not told.has_min_max or told.max >= least:
                    return number
            return int(metadata.num_row_groups)

    def batches(self, names: Sequence[str], batch_rows: int, first_group: int = 0) -> Iterator[ColumnBatch]:
        """The rows of some columns in file order, from a row group on. Raises RecordingError at the first row that
        cannot be read."""
        row = 0
        texts = [name for name in self._texts if name in names]
        with ExitStack() as stack:
            with _damage_named(self._arrow, self._path):
                file = self._arrow.parquet.ParquetFile(
                    self._path, read_dictionary=texts, page_checksum_verification=True
                )
                stack.enter_context(file)
                row = sum(file.metadata.row_group(number).num_rows for number in range(first_group))
                batches = _by_group(file, names, batch_rows, first_group)
            while True:
                with _damage_named(self._arrow, self._path, row):
                    record_batch = next(batches, None)
                if record_batch is None:
                    break
                yield ColumnBatch(self._arrow, self._path, record_batch, row)
                row += record_batch.num_rows
        if row != self.rows:
            reason = f"the file is damaged: it announces {self.rows} rows and holds {row}"
            raise RecordingError(str(self._path), reason)
