"""CsvImport: the rows of CSV files, one file after the other, into a recording."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import TickflagError
from common.recordings.errors import REPORTED_FAULTS, Fault, FaultLog
from common.recordings.naming import Wanted, named
from common.recordings.table import Reader
from common.recordings.times import Times, Unit
from common.recordings.writer import Unsorted, Writer
from services.cli.csv_file import CsvFile


@dataclass(frozen=True, slots=True)
class Form:
    """How the files are written."""

    wanted: Wanted
    time_unit: Unit
    timezone: str
    delimiter: str
    header: Sequence[str]
    """Their columns, where no first line names them."""


class CsvImport:
    """`complain` hears of the first refused rows of each file; `reach` how many bytes of all files are done."""

    def __init__(self, form: Form, writer: Writer, complain: Callable[[str], None], reach: Callable[[int], None]):
        self._form, self._writer, self._complain, self._reach = form, writer, complain, reach
        self._bytes_before = 0
        self.refused = 0
        self.skipped = 0
        """Ticks that state no price, bid or ask."""

    def take(self, path: Path) -> None:
        """All rows of a file. Raises TickflagError, which names the file, where it cannot be used."""
        faults = FaultLog(str(path), "line", self._on_fault)
        form = self._form
        with CsvFile(path, form.delimiter, form.header, lambda line, reason: faults.add(line, "", reason)) as file:
            try:
                naming = named(file.names, form.wanted)
                reader = Reader(naming, form.wanted, Times(form.time_unit, form.timezone), faults)
            except TickflagError as error:
                raise TickflagError(f"{path}: {error}") from None
            for batch, lines in file:
                try:
                    self._writer.write(reader.rows(batch, lines))
                except Unsorted as error:
                    raise TickflagError(
                        f"{path}, line {error.place}: older than a row before it: import with --sort, which keeps all "
                        "rows in memory, or each file into a recording of its own"
                    ) from None
                self._reach(self._bytes_before + file.done)
            self._bytes_before += file.size
        self.refused += faults.count
        self.skipped += reader.skipped
        if faults.count > REPORTED_FAULTS:
            self._complain(f"{path}: {faults.count - REPORTED_FAULTS:,} more rows refused")

    def _on_fault(self, fault: Fault) -> None:
        self._complain(f"row refused: {fault}")
