"""CsvImport: writes the rows of CSV files, one file after the other, into a recording."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.errors import RowFault, RowFaultLog
from tickflag.common.recordings.naming import ColumnRequest, columns_found, named
from tickflag.common.recordings.numbers import NumberForm
from tickflag.common.recordings.table import TableReader
from tickflag.common.recordings.times import Times
from tickflag.common.recordings.writer import Unsorted, Writer
from tickflag.services.cli.recordings.csv_file import CsvFile
from tickflag.services.cli.recordings.layouts import told_by_name
from tickflag.services.cli.recordings.parquet_file import ParquetFile
from tickflag.services.cli.recordings.sources import TableSource, sources


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How the CSV files are written, and which columns a recording takes from them."""

    wanted: ColumnRequest
    times: Times
    numbers: NumberForm
    delimiter: str
    """Empty where the first line of each file tells it."""
    header: Sequence[str]
    """The columns of the files, where no first line names them."""


class CsvImport:
    """Calls `complain` with a text for each of a file's first refused rows, and `reach` with the bytes read so far."""

    def __init__(self, form: CsvFormat, writer: Writer, complain: Callable[[str], None], reach: Callable[[int], None]):
        self._form, self._writer, self._complain, self._reach = form, writer, complain, reach
        self._bytes_before = 0
        self.refused = 0
        self.widened = 0
        """Of how many candles high or low were widened, as open or close lay beyond them by rounding."""
        self.skipped = 0
        """How many ticks stated no price, bid or ask."""

    def import_file(self, path: Path) -> None:
        """Import all rows of a file. Raises TickflagError, which names the file, where it cannot be used."""
        for source in sources(path):
            self._import(source)

    def _import(self, source: TableSource) -> None:
        is_parquet = source.is_parquet
        faults = RowFaultLog(str(source), "row" if is_parquet else "line", self._on_fault)
        form = self._form
        with (
            ParquetFile(source)
            if is_parquet
            else CsvFile(source, form.delimiter, form.header, lambda line, reason: faults.add(line, "", reason))
        ) as file:
            try:
                wanted = told(form.wanted, file.names, source.stem)
                reader = TableReader(named(file.names, wanted), wanted, form.times, faults, form.numbers)
            except TickflagError as error:
                raise TickflagError(f"{source}: {error}") from None
            for batch, places in file:
                try:
                    self._writer.write(reader.rows(batch, places))
                except Unsorted as error:
                    place = f"{'row' if is_parquet else 'line'} {error.place}"
                    raise TickflagError(
                        f"{source}, {place}: older than a row before it: import with "
                        "--sort, which keeps all rows in memory, or each file into a recording of its own"
                    ) from None
                self._reach(self._bytes_before + file.done)
            self._bytes_before += file.size
        self.refused += faults.count
        self.widened += faults.widened
        self.skipped += reader.skipped
        for line in faults.summary():
            self._complain(line)
        if reader.nameless:
            self._complain(f"{source}: {reader.nameless:,} trade ids are no whole numbers, and left out")

    def _on_fault(self, fault: RowFault) -> None:
        self._complain(f"row refused: {fault}")


def told(wanted: ColumnRequest, names: Sequence[str], stem: str) -> ColumnRequest:
    """What is wanted of a table, with symbol and interval as the file's name tells them where nothing else does."""
    name = told_by_name(stem)
    if name is None:
        return wanted
    found = columns_found(names, wanted)
    symbol = wanted.symbol or ("" if "symbol" in found else name.symbol)
    interval = wanted.interval or ("" if "interval" in found else name.interval)
    return replace(wanted, symbol=symbol, interval=interval)
